import * as z from 'zod'
import type { ProcessOutput } from 'zx/core'

import type { Host } from '../host/host.ts'
import type { Attempt, Holder } from '../host/lock.ts'
import { TaskError } from '../task/errors.ts'
import { type Command, scriptOf } from './script.ts'
import type { Way } from './way.ts'

/** mongosh could not reach a server, or the server refused. */
export class MongoError extends TaskError {}

const Answers = z.array(z.record(z.string(), z.unknown()))

/** A member of a replica set, or a server that stands alone, through the mongosh of its machine. */
export class MongoServer {
  readonly name: string
  readonly host: Host
  readonly way: Way

  constructor(host: Host, way: Way) {
    this.name = host.name
    this.host = host
    this.way = way
  }

  /**
   * Questions, which must change nothing. All in one mongosh: each takes its second to start.
   * @returns an answer for each
   * @throws MongoError for the first that fails
   */
  async ask(commands: readonly Command[]): Promise<Record<string, unknown>[]> {
    const { read } = this.host
    const { stdout } = await this.#told(
      () =>
        read({
          input: scriptOf(this.way, commands),
          shown: { command: 'mongosh' },
        })`exec mongosh --quiet --norc --nodb --file <(cat) < /dev/null`,
    )
    return Answers.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
  }

  /** Acts, in this order; those after one that fails are not tried. @throws MongoError */
  async act(commands: readonly Command[]): Promise<void> {
    const { change } = this.host
    const input = scriptOf(this.way, commands)
    const text = commands.map(({ db, command }) => `${db}: ${JSON.stringify(command)}`).join('\n')
    const shown = { command: `mongosh`, input: text }
    await this.#told(
      () =>
        change({
          input,
          shown,
          // The server goes on with a command whose client has died.
          uncancelled: true,
        })`exec mongosh --quiet --norc --nodb --file <(cat) < /dev/null`,
    )
  }

  lock(name: string, holder: Holder): Promise<Attempt> {
    return this.host.lock(name, holder)
  }

  async #told(run: () => PromiseLike<ProcessOutput>): Promise<ProcessOutput> {
    try {
      return await run()
    } catch (error) {
      const { ProcessOutput: Failed } = await import('zx/core')
      if (!(error instanceof Failed) || error.cause || error.exitCode === null) throw error
      if (error.exitCode === 127) throw missingProgram(this.host.name, 'mongosh', error)
      const said = error.stderr.trim() || error.stdout.trim() || `exit code ${error.exitCode}`
      const last = said
        .split('\n')
        .at(-1)
        ?.replace(/^Mongo\w*Error: /, '')
      throw new MongoError(`${this.name}: ${last}`, { next: remedyOf(said, this), cause: error })
    }
  }
}

/** @throws TaskError with the package that has it, in MongoDB's own repository: Debian has none of them */
export function missingProgram(host: string, program: string, cause?: unknown): TaskError {
  const name = program === 'mongosh' ? 'mongodb-mongosh' : 'mongodb-database-tools'
  return new TaskError(`${host} has no ${program}`, {
    next: `as root on ${host}: apt-get install ${name}   # from https://www.mongodb.com/docs/manual/administration/install-on-linux/`,
    cause,
  })
}

/** What to do about what mongosh or the tools say, where that is known. */
export function remedyOf(said: string, { name, way }: Pick<MongoServer, 'name' | 'way'>): string | undefined {
  if (/AuthenticationFailed|Authentication failed/.test(said)) {
    return `see user, password and database at "login" of the inventory: "${way.login?.user}" of "${way.login?.database}"`
  }
  if (/ECONNREFUSED|connection refused|server selection/i.test(said)) {
    return `on ${name}: systemctl status mongod; net.bindIp of /etc/mongod.conf must have 127.0.0.1`
  }
  if (/not authorized|Unauthorized|requires authentication/.test(said)) {
    return 'give that user the roles that docs/backup.md names, or name it at "login" of the inventory'
  }
  return undefined
}
