import type { Environment, MachineCluster } from '../../inventory/inventory.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { DatabaseFacts } from '../catalog.ts'
import { plainLocale } from '../debian.ts'
import { writeMark } from '../mark.ts'
import { checkMark, checkReset, checkShadow } from '../refusal.ts'
import { identifier, literal, sql, type Sql } from '../sql.ts'
import type { SetupTarget } from './target.ts'

/** A locale that every glibc has. */
export const plainUnicode = 'C.UTF-8'

/**
 * What the server itself knows better than the inventory, or cannot be changed any more.
 * @param undo the command that repairs a reset
 * @throws TaskError
 */
export function checkDatabases(
  on: string,
  { name, cluster }: SetupTarget,
  found: DatabaseFacts[],
  undo: (database: string) => string,
): void {
  for (const [database, { environment, shadow }] of Object.entries(cluster.databases)) {
    checkReset(on, database, found, undo(database))
    checkShadow(on, shadow, found)
    const there = found.find((one) => one.name === database)
    const spare = found.find((one) => one.name === shadow)
    if (there) checkMark(on, { name: database, cluster: name, environment }, there)
    for (const one of [there, spare]) if (one) checkLocale(on, name, cluster.locale, one)
  }
}

function checkLocale(on: string, cluster: string, wanted: string | undefined, found: DatabaseFacts): void {
  if (wanted === undefined) return
  const is =
    found.encoding === 'UTF8' ? (found.locale ?? found.collate) : `${found.collate} in ${found.encoding}`
  if (plainLocale(is) === plainLocale(wanted)) return
  throw new TaskError(
    `${found.name} on ${on} has the locale ${is}, and postgres.${cluster}.locale is ${wanted}: a database keeps the one that it was made with`,
    {
      code: exitCode.usage,
      next: 'correct "locale" in the inventory; or dump the database, drop it, run this again, and restore the dump',
    },
  )
}

export interface WantedDatabase {
  name: string
  owner: string
  /** Not for a shadow database, which is nobody's loss. */
  environment: Environment | undefined
}

/** Databases and their shadows. */
export function wantedDatabases(cluster: MachineCluster): WantedDatabase[] {
  return Object.entries(cluster.databases).flatMap(([name, { owner, shadow, environment }]) => [
    { name, owner, environment },
    ...(shadow === undefined ? [] : [{ name: shadow, owner, environment: undefined }]),
  ])
}

/** @throws TaskError when there is none of that name, owner and mark */
export function proveDatabasesSetUp(on: string, wanted: WantedDatabase[], all: DatabaseFacts[]): void {
  for (const one of wanted) proveDatabaseSetUp(on, one, all)
}

function proveDatabaseSetUp(on: string, wanted: WantedDatabase, all: DatabaseFacts[]): void {
  const found = all.find(({ name }) => name === wanted.name)
  if (!found) throw new TaskError(`there is no ${wanted.name} on ${on}`)
  if (found.owner !== wanted.owner) {
    throw new TaskError(`${wanted.name} on ${on} belongs to ${found.owner}, and should to ${wanted.owner}`)
  }
  if (wanted.environment !== undefined && found.mark.environment !== wanted.environment) {
    throw new TaskError(
      `the comment of ${wanted.name} on ${on} does not say that it is ${wanted.environment}`,
    )
  }
}

/** The statements that bring one database to what is wanted, each as one act; none when it is so. */
export function databaseStatements(
  { name, owner, environment }: WantedDatabase,
  locale: string | undefined,
  found: DatabaseFacts[],
): Sql[] {
  const there = found.find((one) => one.name === name)
  const template1 = found.find((one) => one.name === 'template1')
  const statements: Sql[] = []
  if (!there) {
    statements.push(
      sql`create database ${identifier(name)} owner ${identifier(owner)}${likeness(locale, template1)}`,
    )
  } else if (there.owner !== owner) {
    statements.push(sql`alter database ${identifier(name)} owner to ${identifier(owner)}`)
  }
  if (environment !== undefined && there?.mark.environment !== environment) {
    statements.push(writeMark(name, there?.words ?? '', { ...there?.mark, environment }))
  }
  return statements
}

/** template1 where it has what is wanted, because a site may have put extensions there. */
function likeness(locale: string | undefined, template1: DatabaseFacts | undefined): Sql {
  const isUnicode = template1 === undefined || template1.encoding === 'UTF8'
  const isSo = locale === undefined || (template1 && plainLocale(template1.collate) === plainLocale(locale))
  if (isUnicode && isSo) return sql``
  return sql` template template0 encoding 'UTF8' locale ${literal(locale ?? plainUnicode)}`
}
