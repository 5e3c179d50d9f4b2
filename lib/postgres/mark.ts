import * as z from 'zod'

import { Environment } from '../inventory/inventory.ts'
import { identifier, literal, sql, type Sql } from './sql.ts'

/**
 * What hausmeister notes on a database itself, at the end of its comment, so that the server tells
 * the truth when the inventory does not. A comment, because the owner of a managed database may
 * set one, and a custom setting is the superuser's (ALTER DATABASE … SET, since PostgreSQL 15).
 */
export interface Mark {
  environment?: Environment
  /** Where a reset stands: the door is closed, the database is renamed, or the reset has ended well. */
  reset?: ResetState
  /** It was made to restore a backup into, and is nobody's yet. */
  scratch?: ScratchKind
}

export const ResetState = z.enum(['closing', 'unfinished', 'finished'])
export type ResetState = z.infer<typeof ResetState>

export const ScratchKind = z.enum(['verify', 'restore'])
export type ScratchKind = z.infer<typeof ScratchKind>

const pattern = / ?\[hausmeister((?: [a-z]+=[^\s\]]+)*)\]\s*$/

/** Splits a comment into the words of its author and our mark. */
export function readMark(comment: string | null): { words: string; mark: Mark } {
  const found = pattern.exec(comment ?? '')
  const fields = new Map((found?.[1] ?? '').split(' ').map((pair): [string, string] => split(pair)))
  const environment = Environment.safeParse(fields.get('environment'))
  const reset = ResetState.safeParse(fields.get('reset'))
  const scratch = ScratchKind.safeParse(fields.get('scratch'))
  return {
    words: (comment ?? '').replace(pattern, ''),
    mark: {
      ...(environment.success ? { environment: environment.data } : {}),
      ...(reset.success ? { reset: reset.data } : {}),
      ...(scratch.success ? { scratch: scratch.data } : {}),
    },
  }
}

/** The statement that sets a database's comment to these words and this mark. */
export function writeMark(database: string, words: string, mark: Mark): Sql {
  const fields = Object.entries(mark).map(([key, value]) => ` ${key}=${value}`)
  const tag = fields.length > 0 ? `[hausmeister${fields.join('')}]` : ''
  const comment = [words, tag].filter((part) => part !== '').join(' ')
  return sql`comment on database ${identifier(database)} is ${literal(comment)}`
}

function split(pair: string): [string, string] {
  const [key = '', value = ''] = pair.split('=')
  return [key, value]
}
