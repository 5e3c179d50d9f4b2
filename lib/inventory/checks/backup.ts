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
  for (const entry of backup.get('databases').items()) yield* databaseFindings(entry, entry.text, root)
  for (const [name, checks] of backup.get('checks').members()) yield* databaseFindings(checks, name, root)
}

/** A name alone must be one database's; `cluster/name` always is. */
function* databaseFindings(at: Cursor, name: string | undefined, root: Cursor): Generator<Finding> {
  if (name === undefined) return
  const all = root
    .get('postgres')
    .members()
    .flatMap(([cluster, entry]) =>
      entry
        .get('databases')
        .names()
        .map((database) => ({ cluster, database })),
    )
  const found = all.filter(({ cluster, database }) => [database, `${cluster}/${database}`].includes(name))
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
