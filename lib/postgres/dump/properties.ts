import * as z from 'zod'

import type { DatabaseFacts } from '../catalog.ts'
import { DatabaseSettings } from '../settings.ts'

/**
 * What a database is beside its content. pg_dump has it in its archive, but pg_restore gives it only to a database
 * that it creates itself, under the old name.
 */
export const Properties = z.object({
  encoding: z.string(),
  provider: z.enum(['libc', 'icu', 'builtin']).nullable(),
  collate: z.string(),
  ctype: z.string(),
  locale: z.string().nullable(),
  icuRules: z.string().nullable(),
  /** -1: no limit */
  connectionLimit: z.int(),
  /** Its comment without our mark. */
  words: z.string(),
  ...DatabaseSettings.shape,
})
export type Properties = z.infer<typeof Properties>

export function propertiesOf(facts: DatabaseFacts, settings: DatabaseSettings): Properties {
  const { encoding, provider, collate, ctype, locale, icuRules, connectionLimit, words } = facts
  return { encoding, provider, collate, ctype, locale, icuRules, connectionLimit, words, ...settings }
}
