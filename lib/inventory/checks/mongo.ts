import type { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'
import { reference } from './references.ts'

/** What MongoDB keeps for itself. */
const OWN = new Set(['admin', 'config', 'local'])

/** Replica sets and single servers: their machines and databases. */
export function* mongoFindings(root: Cursor): Generator<Finding> {
  for (const [name, entry] of root.get('mongo').members()) {
    if (root.get('postgres').has(name)) {
      yield entry.keyProblem(`"${name}" is a PostgreSQL cluster too; "${name}/database" could mean either`)
    }
    yield* memberFindings(entry, root.get('hosts'))
    for (const [database, cursor] of entry.get('databases').members()) {
      if (OWN.has(database)) yield cursor.keyProblem(`"${database}" belongs to MongoDB itself`)
    }
  }
}

function* memberFindings(entry: Cursor, hosts: Cursor): Generator<Finding> {
  const members = entry.get('hosts').items()
  const seen = new Set<string>()
  for (const host of members) {
    yield* reference(host, 'host', hosts)
    if (host.text === undefined) continue
    if (seen.has(host.text)) yield host.problem(`"${host.text}" stands in the list twice`)
    seen.add(host.text)
  }
  if (members.length > 1 && !entry.has('replicaSet')) {
    yield entry
      .get('hosts')
      .problem(`${members.length} machines without "replicaSet" would each have data of their own`)
  }
}
