import type { MigrationFile } from '../../app/migrations.ts'
import { PostgresError, type Server } from '../server.ts'

/** A migration that does not run after those before it. */
export interface Stuck {
  name: string
  /** The server's words. */
  reason: string
}

/**
 * Runs migrations in an empty database, in order, until one fails.
 * @returns the one that failed, if one did
 */
export async function fillShadow(
  server: Server,
  shadow: string,
  owner: string,
  files: MigrationFile[],
  onNext: (name: string) => void,
): Promise<Stuck | undefined> {
  for (const { name, sql } of files) {
    onNext(name)
    try {
      await server.script({ name, text: sql }, owner, shadow)
    } catch (error) {
      if (!(error instanceof PostgresError)) throw error
      return { name, reason: error.message }
    }
  }
  return undefined
}
