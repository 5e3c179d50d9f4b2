import { size } from '../../task/size.ts'
import { duration } from '../../task/text.ts'
import type { ClusterStatus, DatabaseStatus, ServerStatus } from './survey.ts'

/** Of the connections, when more are taken it is time to look who takes them. */
const crowded = 0.8
/** A standby reports every ten seconds by default (wal_receiver_status_interval). Seconds. */
const quiet = 30
/** An idle primary speaks every thirty seconds by default (half of wal_sender_timeout). Seconds. */
const deaf = 60
/** Seconds. */
const long = 300

/** What is not well, each in a line with what to do where that is known. */
export function statusWarnings(
  status: ClusterStatus,
  version: number | undefined,
  repair: (database: DatabaseStatus) => string,
): string[] {
  return [
    ...status.silent.map(({ reason }) => `no answer: ${reason}`),
    ...status.servers.flatMap((server) => serverWarnings(server, version)),
    ...deludedStandbys(status),
    ...status.databases.flatMap((database) => databaseWarnings(database, status, repair)),
  ]
}

/** A standby notices only after a minute (wal_receiver_timeout) that its primary lost its power. */
function deludedStandbys({ servers }: ClusterStatus): string[] {
  const primary = servers.find(({ role }) => role === 'primary')
  if (!primary || primary.standbys.length > 0) return []
  return servers
    .filter(({ role, receiver }) => role === 'standby' && receiver !== null)
    .map(
      ({ name }) => `standby ${name} believes that it receives, and ${primary.name} sends its log to nobody`,
    )
}

function serverWarnings(server: ServerStatus, version: number | undefined): string[] {
  const { name } = server
  const warnings: string[] = []
  if (version !== undefined && Number.parseInt(server.version, 10) !== version) {
    warnings.push(`${name} has PostgreSQL ${server.version}, and the inventory says ${version}`)
  }
  const used = connected(server)
  if (used > server.maxConnections * crowded) {
    warnings.push(`${used} of ${server.maxConnections} connections of ${name} are taken`)
  }
  for (const { application, address, state, silent } of server.standbys) {
    const who = `${application} (${address ?? 'local'})`
    if (state !== null && state !== 'streaming')
      warnings.push(`${who} receives from ${name}, and is in the state ${state}`)
    if (silent !== null && silent > quiet)
      warnings.push(`${name} has heard nothing from ${who} for ${seconds(silent)}`)
  }
  for (const slot of server.slots) {
    const keeps = slot.retained === null ? '' : ` and keeps ${size(slot.retained)} of log`
    if (slot.wal === 'lost') {
      warnings.push(`slot ${slot.name} on ${name} has lost what its receiver needs; that one must be rebuilt`)
    } else if (!slot.active) {
      warnings.push(
        `slot ${slot.name} on ${name} is used by nobody${keeps}; if its receiver is gone for good: select pg_drop_replication_slot('${slot.name}')`,
      )
    }
  }
  if (server.role === 'standby') warnings.push(...receiverWarnings(server))
  for (const { pid, application, role, database, state, age } of server.transactions) {
    if (age < long) continue
    warnings.push(
      `${application} as ${role} has had a transaction open in ${database} on ${name} for ${seconds(age)} (pid ${pid}, ${state ?? 'state unknown'})`,
    )
  }
  for (const { database, age } of server.ages) {
    if (age <= server.freezeMaxAge) continue
    warnings.push(
      `${database} on ${name} is ${age} transactions old, more than autovacuum_freeze_max_age (${server.freezeMaxAge}): autovacuum does not get through`,
    )
  }
  return warnings
}

function receiverWarnings({ name, receiver, lastReplay }: ServerStatus): string[] {
  const replayed =
    lastReplay === null
      ? 'no commit was replayed since it started'
      : `its last commit is ${seconds(lastReplay)} old`
  if (!receiver) return [`standby ${name} receives from nobody; ${replayed}`]
  const from = receiver.from ?? 'its primary'
  if (receiver.state !== null && receiver.state !== 'streaming')
    return [`standby ${name} is not streaming from ${from} (${receiver.state}); ${replayed}`]
  if (receiver.silent !== null && receiver.silent > deaf)
    return [`standby ${name} has heard nothing from ${from} for ${seconds(receiver.silent)}; ${replayed}`]
  return []
}

function databaseWarnings(
  database: DatabaseStatus,
  { cluster }: ClusterStatus,
  repair: (database: DatabaseStatus) => string,
): string[] {
  const { name, environment, mark, bytes, unfinished, failed, gaps } = database
  const warnings = gaps.map((gap) => `not known of ${name}: ${gap}`)
  if (unfinished) {
    const what =
      unfinished.state === 'renamed'
        ? `the old database is kept as ${unfinished.old.name}`
        : 'it accepts no connections'
    warnings.push(`a reset of ${name} did not finish: ${what}; repair: ${repair(database)}`)
  } else if (bytes === null) {
    warnings.push(`${cluster} has no database ${name}`)
  }
  if (mark !== null && mark !== environment) {
    warnings.push(`the inventory says that ${name} is ${environment}, and it says itself that it is ${mark}`)
  }
  for (const one of failed) {
    const said = one.log?.trim().split('\n')[0]
    warnings.push(`migration ${one.name} of ${name} has failed${said ? `: ${said}` : ''}`)
  }
  return warnings
}

export function connected({ connections }: ServerStatus): number {
  return connections.reduce((sum, { count }) => sum + count, 0)
}

/** In words. */
export function seconds(age: number): string {
  return duration(age * 1000)
}
