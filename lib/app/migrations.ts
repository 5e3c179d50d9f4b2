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
