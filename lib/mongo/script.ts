import { connectionString, type Way } from './way.ts'

/** A command of MongoDB's and the database that it is for (https://www.mongodb.com/docs/manual/reference/command/). */
export interface Command {
  db: string
  command: Record<string, unknown>
}

/**
 * What mongosh runs: all commands, one after the other, up to the first that fails. It prints their answers as one line
 * of JSON. The first line is data alone.
 */
export function scriptOf(way: Way, commands: readonly Command[]): string {
  const { login } = way
  const task = {
    uri: connectionString(way),
    login: login ? [login.user, login.password] : [],
    commands,
  }
  return `const task = ${JSON.stringify(task)};
const connected = connect(task.uri, ...task.login);
const answers = [];
for (const { db, command } of task.commands) answers.push(connected.getSiblingDB(db).runCommand(command));
print(EJSON.stringify(answers));
`
}
