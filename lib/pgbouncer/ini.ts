/**
 * pgbouncer.ini, of which only two lines are ours: an `%include` at the end of each section.
 *
 * Facts, tried with 1.24: a file that is included inside a section goes on in it, and the last of two equal
 * keys counts. A section that begins a second time has all of its settings set back to their defaults first,
 * which would lose what stands in the user's; so the included files have no headers of their own.
 */

/** Where pgbouncer itself sees its files. */
export const folder = '/etc/pgbouncer'

export const iniFile = 'pgbouncer.ini'
export const userFile = 'userlist.txt'
/** Ours as a whole. */
export const settingsFile = 'hausmeister.ini'
export const databasesFile = 'hausmeister-databases.ini'

export type Settings = Record<string, string>

/** Where a cluster's database is to be found. */
export interface Route {
  name: string
  host: string
  port: number
}

/** Names that can stand before the `=`: pgbouncer's parser takes no quotes there (tried with 1.24). */
export const plainName = /^[A-Za-z0-9_.-]+$/

const head = '; Written by hausmeister from the inventory, and written again by every pg-pooler.\n'

/** The file with our two lines in it, and every other line as it was. */
export function withIncludes(ini: string): string {
  return withInclude(withInclude(ini, 'databases', databasesFile), 'pgbouncer', settingsFile)
}

function withInclude(ini: string, section: string, file: string): string {
  const include = `%include ${folder}/${file}`
  const lines = ini.replace(/\n$/, '').split('\n')
  // Of several sections of one name the last one counts.
  const start = lines.findLastIndex((line) => sectionOf(line) === section)
  if (start === -1) return [...(ini === '' ? [] : lines), `[${section}]`, include, ''].join('\n')
  const next = lines.findIndex((line, index) => index > start && sectionOf(line) !== undefined)
  const all = lines.slice(start, next === -1 ? undefined : next)
  const own = all.filter((line) => line.trim() !== include)
  const filled = own.findLastIndex((line) => line.trim() !== '') + 1
  const body = [...own.slice(0, filled), include, ...own.slice(filled)]
  return [...lines.slice(0, start), ...body, ...(next === -1 ? [] : lines.slice(next)), ''].join('\n')
}

/** What the user has set in the last section [pgbouncer]. */
export function ownSettings(ini: string): Settings {
  let settings: Settings = {}
  let section: string | undefined
  for (const line of ini.split('\n')) {
    const name = sectionOf(line)
    if (name === 'pgbouncer') settings = {}
    section = name ?? section
    const [, key, value] = /^\s*([A-Za-z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (section === 'pgbouncer' && key !== undefined && value !== undefined) settings[key] = value
  }
  return settings
}

export function settingsText(settings: Settings): string {
  return head + textOf(Object.entries(settings))
}

export function databasesText(routes: Route[]): string {
  return (
    head + textOf(routes.map(({ name, host, port }) => [name, `host=${host} port=${port} dbname=${name}`]))
  )
}

/** A list that pgbouncer has, with one more in it. */
export function withItem(list: string | undefined, item: string): string {
  const items = (list ?? '').split(',').map((one) => one.trim())
  return [...new Set([...items.filter((one) => one !== ''), item])].join(', ')
}

function textOf(pairs: [string, string][]): string {
  return pairs.map(([key, value]) => `${key} = ${value}\n`).join('')
}

function sectionOf(line: string): string | undefined {
  return /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1]
}
