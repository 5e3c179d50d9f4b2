import { size } from '../../task/size.ts'
import type { ClusterStatus, DatabaseStatus, ServerStatus } from './survey.ts'
import { connected, seconds } from './warnings.ts'

/** For the operator, a section for each server and each database. */
export function describeStatus(status: ClusterStatus): string {
  const primary = status.servers.find(({ role }) => role === 'primary')
  return [
    status.cluster,
    ...status.servers.flatMap((server) => section(describeServer(server, primary))),
    ...status.silent.flatMap(({ name }) => section([`${name}: no answer`])),
    ...status.databases.flatMap((database) => section(describeDatabase(database))),
  ].join('\n')
}

function describeServer(server: ServerStatus, primary: ServerStatus | undefined): string[] {
  const who = server.connections.map(({ count, application, role }) => `${count} × ${application} as ${role}`)
  const taken = `${connected(server)} of ${server.maxConnections}`
  const sizes = server.databases
    .filter(({ isTemplate }) => !isTemplate)
    .map(({ name, bytes }) => `${name} ${size(bytes)}`)
  const [oldest] = server.ages
  const percent = ((oldest?.age ?? 0) / server.freezeMaxAge) * 100
  return [
    `${server.name}: ${server.role}, PostgreSQL ${server.version}, up ${seconds(server.uptime)}`,
    `connections: ${[taken, ...(who.length > 0 ? [who.join(', ')] : [])].join(': ')}`,
    `databases: ${sizes.join(', ')}`,
    `oldest for vacuum: ${oldest?.database}, ${percent.toFixed(1)} % of autovacuum_freeze_max_age`,
    ...server.standbys.map(({ application, address, state, sync, bytesBehind, secondsBehind, silent }) => {
      const lag = secondsBehind === null ? '' : ` (${seconds(secondsBehind)})`
      const heard = silent === null ? '' : `, heard ${ago(silent)}`
      return `standby ${application} at ${address ?? 'local'}: ${state}, ${sync}, ${behind(bytesBehind)}${lag}${heard}`
    }),
    ...server.slots.map(({ name, kind, active, retained }) => {
      const keeps = retained === null ? '' : `, keeps ${size(retained)} of log`
      return `slot ${name}: ${kind}, ${active ? 'active' : 'not active'}${keeps}`
    }),
    ...(server.role === 'standby' ? describeReceiver(server, primary) : []),
    ...server.transactions.map(({ pid, application, role, database, state, age }) => {
      return `transaction: ${application} as ${role} in ${database}, ${state}, open for ${seconds(age)} (pid ${pid})`
    }),
  ]
}

function describeReceiver(
  { receiver, received, position, lastReplay }: ServerStatus,
  primary: ServerStatus | undefined,
): string[] {
  const slot = receiver?.slot ? ` by slot ${receiver.slot}` : ''
  const heard = receiver === null || receiver.silent === null ? '' : `, last message ${ago(receiver.silent)}`
  const waiting = received === null || position === null ? null : Math.max(0, received - position)
  const replayed = lastReplay === null ? '' : `, last commit ${ago(lastReplay)}`
  const lines = [
    receiver ? `receiver: ${receiver.state} from ${receiver.from}${slot}${heard}` : 'receiver: none',
    `replay: ${waiting === null ? 'nothing was received' : `${size(waiting)} are received and not replayed`}${replayed}`,
  ]
  if (primary && primary.position !== null && position !== null) {
    lines.push(`against ${primary.name}: ${behind(Math.max(0, primary.position - position))}`)
  }
  return lines
}

function describeDatabase(database: DatabaseStatus): string[] {
  const { name, environment, mark, bytes, kept, applied, failed, pending, deadRows } = database
  if (bytes === null) return [`${name}: ${environment}, not there`]
  const migrations = [
    applied === null ? 'none applied' : `${applied} applied`,
    `${failed.length} failed${names(failed.map((one) => one.name))}`,
    ...(pending ? [`${pending.length} pending${names(pending)}`] : []),
  ]
  const dead = deadRows.map((one) => `${one.table} ${one.dead} beside ${one.live} live ones`)
  return [
    `${name}: ${environment}${mark === null ? ', not marked' : ''}, ${size(bytes)}`,
    `migrations: ${migrations.join(', ')}`,
    ...(dead.length > 0 ? [`dead rows: ${dead.join(', ')}`] : []),
    ...kept.map(({ facts }) => `kept copy: ${facts.name}, ${size(facts.bytes)}`),
  ]
}

function names(list: string[]): string {
  return list.length === 0 ? '' : ` (${list.join(', ')})`
}

function ago(age: number): string {
  return age < 1 ? 'just now' : `${seconds(age)} ago`
}

function behind(bytes: number | null): string {
  if (bytes === null) return 'distance unknown'
  return bytes === 0 ? 'not behind' : `${size(bytes)} behind`
}

function section([title = '', ...lines]: string[]): string[] {
  return [`  ${title}`, ...lines.map((line) => `    ${line}`)]
}
