import { isIP } from 'node:net'

import ipaddr from 'ipaddr.js'
import * as z from 'zod'

import { parseCidr } from '../inventory/addresses.ts'
import type { Estate } from '../inventory/estate.ts'
import type { MachineCluster } from '../inventory/inventory.ts'
import { TaskError } from '../task/errors.ts'
import type { Server } from './server.ts'
import { sql } from './sql.ts'

const begin = '# BEGIN hausmeister: access rules of the inventory. Changes between these two lines are lost.'
const end = '# END hausmeister'

/** The lines of pg_hba.conf that the inventory's access rules make. */
export function accessLines(estate: Estate, cluster: MachineCluster): string[] {
  const rules = cluster.access.flatMap(({ role, database, from }) =>
    ranges(estate, from).map((range) => ({
      database: database === 'all' ? database : hbaName(database),
      role,
      range,
      from,
    })),
  )
  const { replication } = cluster
  const standbys =
    replication === undefined
      ? []
      : cluster.hosts.flatMap((from) =>
          ranges(estate, from).flatMap((range) =>
            // pg_rewind logs in to the second one.
            ['replication', 'postgres'].map((database) => ({ database, role: replication, range, from })),
          ),
        )
  const rows = [...rules, ...standbys].map(({ database, role, range, from }) => {
    const named = range === from ? '' : ` # ${from}`
    return [`host`, database, hbaName(role), range, `scram-sha-256${named}`]
  })
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => row.map((word, column) => word.padEnd(widths[column] ?? 0)).join('  '))
  return [...new Set(lines)]
}

/** The ranges behind a name of a rule: a network's, a host's addresses, or the range itself. */
export function ranges(estate: Estate, from: string): string[] {
  const network = Object.hasOwn(estate.networks, from) ? estate.networks[from] : undefined
  if (network) return [network.cidr]
  const host = Object.hasOwn(estate.hosts, from) ? estate.hosts[from] : undefined
  if (!host) return [from]
  return Object.values(host.addresses ?? {}).map((address) => `${address}/${isIP(address) === 4 ? 32 : 128}`)
}

/** Always quoted where it could mean something else: a keyword, a group (+), a pattern (/), a file (@), a list. */
export function hbaName(name: string): string {
  const plain = /^[a-z_][a-z0-9_]*$/i.test(name)
  const isKeyword = ['all', 'sameuser', 'samerole', 'samegroup', 'replication'].includes(name)
  return plain && !isKeyword ? name : `"${name.replaceAll('"', '""')}"`
}

/**
 * pg_hba.conf with our block in it; all other lines stay where they are. PostgreSQL takes the first line that
 * matches, so a new block stands before the first line for TCP, but behind the one by which `postgres` comes
 * in over the local socket.
 *
 * @throws TaskError when somebody has damaged the block
 */
export function withBlock(text: string, lines: string[], where: string): string {
  const all = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  const block = [begin, ...lines, end]
  const found = findBlock(all, where)
  const [from, to] = found ? [found.from, found.to + 1] : [placeFor(all), placeFor(all)]
  return `${[...all.slice(0, from), ...block, ...all.slice(to)].join('\n')}\n`
}

/** Line numbers of our block, counted from 1; undefined when there is none. */
export function blockLines(text: string, where: string): { from: number; to: number } | undefined {
  const found = findBlock(text.split('\n'), where)
  return found && { from: found.from + 1, to: found.to + 1 }
}

function findBlock(all: string[], where: string): { from: number; to: number } | undefined {
  const at = (pattern: RegExp) => all.flatMap((line, index) => (pattern.test(line) ? [index] : []))
  const begins = at(/^\s*#\s*BEGIN hausmeister\b/)
  const ends = at(/^\s*#\s*END hausmeister\b/)
  const [from] = begins
  const [to] = ends
  if (from === undefined && to === undefined) return undefined
  if (from !== undefined && to !== undefined && begins.length === 1 && ends.length === 1 && from < to) {
    return { from, to }
  }
  throw new TaskError(
    `the block of hausmeister in ${where} is damaged: its first line is ${told(begins)}, its last line is ${told(ends)}; nothing was changed`,
    {
      next: `there must be one of each, in this order: "# BEGIN hausmeister", "# END hausmeister"; or take all of them out`,
    },
  )
}

function told(indexes: number[]): string {
  return indexes.length === 0 ? 'none' : `line ${indexes.map((index) => index + 1).join(', ')}`
}

/** Index of the line before which a new block goes. */
function placeFor(all: string[]): number {
  const own = all.findIndex((line) => /^\s*local\s+(all|postgres)\s+"?postgres"?\s/.test(line))
  const next = all.findIndex((line, index) => index > own && /^\s*(host|@?include)/.test(line))
  if (next === -1) return all.length
  // What is written right above that line belongs to it.
  let at = next
  while (at - 1 > own && all[at - 1]?.startsWith('#')) at -= 1
  return at
}

const HbaRule = z.object({
  line: z.number(),
  /** Only where lines are included from other files. */
  file: z.string().nullish(),
  type: z.string().nullable(),
  database: z.array(z.string()).nullable(),
  user: z.array(z.string()).nullable(),
  address: z.string().nullable(),
  netmask: z.string().nullable(),
  method: z.string().nullable(),
  error: z.string().nullable(),
})
export type HbaRule = z.infer<typeof HbaRule>

/** The rules as they are on disk, not as the server goes by them since it last read the file. */
export function readHbaRules(server: Server): Promise<HbaRule[]> {
  return server.select(
    HbaRule,
    sql`select line_number as line, to_jsonb(r) ->> 'file_name' as file, type, database, user_name as "user",
        address, netmask, auth_method as method, error
      from pg_hba_file_rules r order by coalesce((to_jsonb(r) ->> 'rule_number')::int, line_number)`,
  )
}

/** The first rule for `postgres` over the local socket, which is our own way in; undefined: nobody gets in there. */
export function ownWayIn(rules: HbaRule[]): HbaRule | undefined {
  return rules.find(
    ({ type, database, user }) =>
      type === 'local' &&
      database?.some((word) => ['all', 'postgres', 'sameuser', 'samerole'].includes(word)) &&
      user?.some((word) => ['all', 'postgres'].includes(word)),
  )
}

/** The first rule that a client over TCP without TLS meets; one whose address is a name is passed over. */
export function ruleFor(
  rules: HbaRule[],
  client: { database: string; role: string; address: string },
): HbaRule | undefined {
  return rules.find(
    (rule) =>
      ['host', 'hostnossl', 'hostnogssenc'].includes(rule.type ?? '') &&
      rule.database?.some((word) => word === 'all' || word === client.database) &&
      rule.user?.some((word) => word === 'all' || word === client.role) &&
      isIn(client.address, rule),
  )
}

function isIn(client: string, { address, netmask }: HbaRule): boolean {
  if (address === 'all') return true
  if (address === null || netmask === null || isIP(address) === 0) return false
  const prefix = ipaddr.parse(netmask).prefixLengthFromSubnetMask()
  return parseCidr(`${address}/${prefix}`)?.contains(client) ?? false
}
