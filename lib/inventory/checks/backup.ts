import { isIP } from 'node:net'

import { canonicalAddress } from '../addresses.ts'
import type { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'
import { suggestion } from '../nearest.ts'
import { reference } from './references.ts'

/** What is backed up, against what there is. */
export function* backupFindings(root: Cursor): Generator<Finding> {
  const backup = root.get('backup')
  for (const folder of backup.get('folders').items()) {
    yield* reference(folder.get('host'), 'host', root.get('hosts'))
  }
  yield* reference(backup.get('schedule').get('host'), 'host', root.get('hosts'))
  yield* reference(backup.get('scratch'), 'cluster under "postgres"', root.get('postgres'))
  yield* serverFindings(backup.get('store'), root.get('hosts'))
  const [postgres, mongo] = [databasesOf(root.get('postgres')), databasesOf(root.get('mongo'))]
  for (const entry of backup.get('databases').items()) {
    yield* databaseFindings(entry, entry.text, [...postgres, ...mongo])
  }
  for (const [name, checks] of backup.get('checks').members()) {
    if (mongo.some((one) => isNamed(one, name)) && !postgres.some((one) => isNamed(one, name))) {
      yield checks.keyProblem(`checks are SQL, and "${name}" is a database of MongoDB`)
    } else yield* databaseFindings(checks, name, postgres)
  }
}

interface Named {
  cluster: string
  database: string
}

function databasesOf(clusters: Cursor): Named[] {
  return clusters.members().flatMap(([cluster, entry]) =>
    entry
      .get('databases')
      .names()
      .map((database) => ({ cluster, database })),
  )
}

function isNamed({ cluster, database }: Named, name: string): boolean {
  return [database, `${cluster}/${database}`].includes(name)
}

/** A store of our own listens on the address of its endpoint, in plain HTTP. */
function* serverFindings(store: Cursor, hosts: Cursor): Generator<Finding> {
  const server = store.get('server')
  const host = server.get('host')
  yield* reference(host, 'host', hosts)
  const endpoint = store.get('endpoint')
  if (!server.exists || host.text === undefined || !URL.canParse(endpoint.text ?? '')) return
  const { protocol, hostname, pathname, username } = new URL(endpoint.text ?? '')
  if (protocol !== 'http:' || pathname !== '/' || username !== '') {
    yield endpoint.problem('the store of backup.store.server is at http://ADDRESS:PORT, and speaks no TLS')
    return
  }
  const address = hostname.replace(/^\[|\]$/g, '')
  const entry = hosts.get(host.text)
  const own = entry
    .get('addresses')
    .members()
    .flatMap(([, { text }]) => text ?? [])
  const isLoopback = entry.get('local').value === true && ['127.0.0.1', '::1'].includes(address)
  const isOwn =
    isIP(address) !== 0 && own.some((text) => canonicalAddress(text) === canonicalAddress(address))
  if (isOwn || isLoopback || !hosts.has(host.text)) return
  yield endpoint.problem(
    `${hostname} is no address of "${host.text}", on which the store is to listen`,
    own.length === 0 ? undefined : `Its addresses: ${own.join(', ')}`,
  )
}

/** A name alone must be one database's; `cluster/name` always is. */
function* databaseFindings(at: Cursor, name: string | undefined, all: readonly Named[]): Generator<Finding> {
  if (name === undefined) return
  const found = all.filter((one) => isNamed(one, name))
  if (found.length === 1) return
  const names = found.length === 0 ? all.map(({ database }) => database) : []
  if (found.length === 0) yield at.problem(`no cluster has a database "${name}"`, suggestion(name, names))
  else {
    const choices = found.map(({ cluster, database }) => `${cluster}/${database}`)
    yield at.problem(
      `${found.length} clusters have a database "${name}"`,
      `Say which one: ${choices.join(' or ')}`,
    )
  }
}
