import { randomBytes } from 'node:crypto'

import { quote } from '../host/quote.ts'
import type { AppShell } from './app.ts'

/**
 * The names in a folder of Prisma migrations, which has one folder for each of them, in the order in which
 * Prisma applies them.
 *
 * @param folder relative to where the app's commands run
 * @returns undefined when there is no such folder
 */
export async function listMigrations(app: AppShell, folder: string): Promise<string[] | undefined> {
  const output = await app.read(`cd ${quote(folder)} && ls -d -- */`, { nothrow: true })
  if (output.exitCode !== 0) return undefined
  return output
    .lines()
    .map((line) => line.trim().replace(/\/$/, ''))
    .toSorted()
}

export interface MigrationFile {
  name: string
  sql: string
}

/**
 * All migrations of a folder with their SQL, in one command, in the order in which Prisma applies them.
 * @returns undefined when there is no such folder, or a migration in it has no file
 */
export async function readMigrationFiles(
  app: AppShell,
  folder: string,
): Promise<MigrationFile[] | undefined> {
  // No line of a migration is like that.
  const mark = `-- ${randomBytes(16).toString('hex')} `
  const each = `printf '%s\\n' ${quote(mark)}"$name"; cat "$name/migration.sql" || exit 1; echo`
  const output = await app.read(
    `cd ${quote(folder)} && for name in *; do if [ -d "$name" ]; then ${each}; fi; done`,
    { nothrow: true },
  )
  if (output.exitCode !== 0) return undefined
  const parts = output.stdout.split(mark).slice(1)
  return parts
    .map((part) => {
      const end = part.indexOf('\n')
      return { name: part.slice(0, end), sql: part.slice(end + 1).replace(/\n$/, '') }
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
