import type { Cursor } from '../cursor.ts'
import type { Finding } from '../finding.ts'
import { suggestion } from '../nearest.ts'
import { reference } from './references.ts'

/** Apps against the hosts and databases that they use. */
export function* appFindings(root: Cursor): Generator<Finding> {
  const clusters = root.get('postgres')
  for (const [, app] of root.get('apps').members()) {
    yield* reference(app.get('host'), 'host', root.get('hosts'))
    const cluster = app.get('database', 'cluster')
    yield* reference(cluster, 'cluster under "postgres"', clusters)
    if (cluster.text === undefined || !clusters.has(cluster.text)) continue
    const database = app.get('database', 'name')
    if (database.text === undefined) continue
    const databases = clusters.get(cluster.text, 'databases')
    if (databases.has(database.text)) yield* environmentFindings(app, databases.get(database.text))
    else if (databases.lacks(database.text)) {
      const elsewhere = clusters
        .members()
        .find(([, other]) => other.get('databases').has(database.text ?? ''))
      const hint =
        elsewhere === undefined
          ? suggestion(database.text, databases.names())
          : `There is one in the cluster "${elsewhere[0]}"`
      yield database.problem(`the cluster "${cluster.text}" has no database "${database.text}"`, hint)
    }
  }
}

/** A development app on production data happens by one wrong host name, and nobody notices until a reset. */
function* environmentFindings(app: Cursor, database: Cursor): Generator<Finding> {
  const own = app.get('environment')
  const other = database.get('environment')
  if (own.text === undefined || other.text === undefined || own.text === other.text) return
  if (own.text === 'production' || other.text === 'production') {
    const name = String(database.path.at(-1))
    yield app
      .get('database', 'name')
      .problem(`the app is ${own.text} but the database "${name}" is ${other.text}`)
  }
}
