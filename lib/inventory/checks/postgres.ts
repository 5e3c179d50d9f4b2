import { parseCidr } from '../addresses.ts'
import type { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'
import { suggestion } from '../nearest.ts'
import { reference } from './references.ts'

const TEMPLATES = new Set(['template0', 'template1'])

/** Clusters: their machines, databases, roles and access rules against each other. */
export function* postgresFindings(root: Cursor): Generator<Finding> {
  for (const [, cluster] of root.get('postgres').members()) {
    yield* machineFindings(cluster, root.get('hosts'))
    yield* databaseFindings(cluster)
    yield* reference(cluster.get('replication'), 'role under "roles"', cluster.get('roles'))
    for (const rule of cluster.get('access').items()) yield* ruleFindings(rule, cluster, root)
    yield* poolerFindings(cluster.get('pooler'), root)
    if (cluster.has('container') && cluster.has('pooler')) {
      yield cluster
        .get('pooler')
        .keyProblem('no pooler stands before a PostgreSQL in a container, whose address changes')
    }
  }
}

function* machineFindings(cluster: Cursor, hosts: Cursor): Generator<Finding> {
  const seen = new Set<string>()
  for (const host of cluster.get('hosts').items()) {
    yield* reference(host, 'host', hosts)
    if (host.text === undefined) continue
    if (seen.has(host.text)) yield host.problem(`"${host.text}" stands in the list twice`)
    seen.add(host.text)
  }
  yield* reference(cluster.get('via'), 'host', hosts)
  yield* reference(cluster.get('container', 'host'), 'host', hosts)
}

function* databaseFindings(cluster: Cursor): Generator<Finding> {
  const databases = cluster.get('databases')
  const shadows = new Map<string, string>()
  for (const [name, database] of databases.members()) {
    if (TEMPLATES.has(name)) {
      yield database.keyProblem(`"${name}" is what PostgreSQL makes new databases from; no task may reset it`)
    }
    yield* reference(database.get('owner'), 'role under "roles"', cluster.get('roles'))
    const shadow = database.get('shadow')
    if (shadow.text === undefined) continue
    const other = shadows.get(shadow.text)
    if (shadow.text === name)
      yield shadow.problem('the shadow is the database itself, and shadows are dropped')
    else if (databases.has(shadow.text)) {
      yield shadow.problem(`"${shadow.text}" is a database of its own, and shadows are dropped`)
    } else if (other !== undefined) {
      yield shadow.problem(`"${shadow.text}" is the shadow of "${other}" already`)
    } else if (TEMPLATES.has(shadow.text) || shadow.text === 'postgres') {
      yield shadow.problem(`"${shadow.text}" belongs to PostgreSQL, and shadows are dropped`)
    }
    shadows.set(shadow.text, name)
  }
}

function* ruleFindings(rule: Cursor, cluster: Cursor, root: Cursor): Generator<Finding> {
  yield* reference(rule.get('role'), 'role under "roles"', cluster.get('roles'))

  const database = rule.get('database')
  const databases = cluster.get('databases').members()
  const shadows = databases.flatMap(([, entry]) => entry.get('shadow').text ?? [])
  const names = ['all', ...databases.map(([name]) => name), ...shadows]
  if (
    database.text !== undefined &&
    !names.includes(database.text) &&
    cluster.get('databases').lacks(database.text)
  ) {
    yield database.problem(`no database is called "${database.text}"`, suggestion(database.text, names))
  }

  const from = rule.get('from')
  if (from.text === undefined) return
  const cidr = parseCidr(from.text)
  if (cidr !== undefined) {
    if (!cidr.isNetwork) yield from.problem(`has host bits set; the network is ${cidr.network}`)
  } else if (root.get('networks').lacks(from.text) && root.get('hosts').lacks(from.text)) {
    yield from.problem(
      `"${from.text}" is no network, no host and no range such as 192.0.2.0/24`,
      hintFor(from.text, root),
    )
  } else if (root.get('hosts').has(from.text) && !root.get('hosts', from.text, 'addresses').exists) {
    yield from.problem(`"${from.text}" has no address in the inventory that a rule could name`)
  }
}

function* poolerFindings(pooler: Cursor, root: Cursor): Generator<Finding> {
  yield* reference(pooler.get('host'), 'host', root.get('hosts'))
  const app = pooler.get('app')
  yield* reference(app, 'app', root.get('apps'))
  if (app.text === undefined || !root.get('apps').has(app.text)) return
  const runtime = root.get('apps', app.text, 'runtime').text
  if (runtime !== undefined && runtime !== 'compose') {
    yield app.problem(`the app "${app.text}" runs by ${runtime}, so it has no compose file`)
  }
}

function hintFor(from: string, root: Cursor): string {
  const single = [`${from}/32`, `${from}/128`].find((range) => parseCidr(range)?.isNetwork)
  if (single !== undefined) return `A single address is written ${single}`
  return suggestion(from, [...root.get('networks').names(), ...root.get('hosts').names()])
}
