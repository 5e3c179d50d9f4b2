import type { Contents } from '../../postgres/dump/contents.ts'
import type { PostgresManifest } from '../manifest.ts'

/** How a restored database differs from what was dumped, a line each; none when it is the same. */
export function differences(
  { tables, migrations }: Pick<PostgresManifest, 'tables' | 'migrations'>,
  found: Contents,
): string[] {
  const names = [...new Set([...Object.keys(tables), ...Object.keys(found.tables)])].toSorted()
  const lines = names.flatMap((name) => {
    const [was, is] = [tables[name], found.tables[name]]
    if (was === is) return []
    if (is === undefined) return [`${name} is missing, with its ${was} rows`]
    if (was === undefined) return [`${name} was not dumped, and is there`]
    return [`${name} has ${is} rows, and had ${was}`]
  })
  const [before, after] = [migrationsIn(migrations), migrationsIn(found.migrations)]
  return before === after ? lines : [...lines, `migrations are ${after}, and were ${before}`]
}

function migrationsIn(migrations: Contents['migrations']): string {
  if (!migrations) return 'none'
  const failed = migrations.failed.map((name) => `${name} (failed)`)
  return [...migrations.applied.toSorted(), ...failed.toSorted()].join(', ') || 'an empty list'
}
