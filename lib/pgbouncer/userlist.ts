/** A line of userlist.txt: `"name" "password or verifier"`, quotes doubled inside. */
const entry = /^\s*"((?:[^"]|"")*)"\s+"((?:[^"]|"")*)"/

export interface User {
  name: string
  /** Clear text, or what the server has in pg_authid. */
  password: string
}

export function readUsers(text: string): User[] {
  return text.split('\n').flatMap((line) => userOf(line) ?? [])
}

/** The list with these users in it: their lines in the place of older ones, all other lines as they were. */
export function withUsers(text: string, users: User[]): string {
  const wanted = new Map(users.map((user) => [user.name, user]))
  const kept = text
    .replace(/\n$/, '')
    .split('\n')
    .flatMap((line) => {
      const old = userOf(line)
      if (!old || !wanted.has(old.name)) return [line]
      const user = wanted.get(old.name)
      // A second line of the same name would be the one that counts.
      if (!user || !users.includes(user)) return []
      users = users.filter((one) => one !== user)
      return [lineOf(user)]
    })
  return [...(text === '' ? [] : kept), ...users.map(lineOf), ''].join('\n')
}

function lineOf({ name, password }: User): string {
  return `${quoted(name)} ${quoted(password)}`
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

function userOf(line: string): User | undefined {
  const [, name, password] = entry.exec(line) ?? []
  if (name === undefined || password === undefined) return undefined
  return { name: name.replaceAll('""', '"'), password: password.replaceAll('""', '"') }
}
