import { describe, expect, test } from 'vitest'
import * as z from 'zod'

import { helpText } from '../../../lib/task/help.ts'

const task = {
  name: 'pg-reset',
  summary: 'Drop a database, create it again, migrate and seed it',
  details: 'Keeps the old one under another name.\nSafe to run again: a second run finishes the job.',
  examples: ['npx tsx tasks/pg-reset.ts --database weltenwind --dry-run'],
  flags: z.object({
    database: z.string().meta({ description: 'the database to reset', placeholder: 'NAME' }),
    skipSeed: z.boolean().default(false).describe('leave the new database empty'),
    keepCopy: z.boolean().describe('keep the old one').default(true),
    format: z.enum(['custom', 'plain']).default('custom').describe('of the dump'),
    table: z.array(z.string()).default([]).describe('only this one'),
    retries: z.int().optional().describe('how often a step that failed is tried again'),
  }),
}

test('the whole text', () => {
  expect(helpText(task)).toBe(`pg-reset: Drop a database, create it again, migrate and seed it

Keeps the old one under another name.
Safe to run again: a second run finishes the job.

Usage: npx tsx tasks/pg-reset.ts --database NAME [flags]

Flags
  --database NAME          the database to reset (required)
  --skip-seed              leave the new database empty
  --[no-]keep-copy         keep the old one (default: yes)
  --format <custom|plain>  of the dump (default: custom)
  --table <text>           only this one (may be repeated)
  --retries <number>       how often a step that failed is tried again

Flags of every task
  --help                   show this text
  --dry-run                show what would be changed, and change nothing
  --yes                    do not ask before something is destroyed (for scripts)
  --inventory FILE         the inventory to work on
  --json                   one JSON event a line on stdout (docs/json-events.md)
  --verbose                show every change that was made, too
  --quiet                  print nothing when all is well (for cron)

Examples
  npx tsx tasks/pg-reset.ts --database weltenwind --dry-run

Exit codes
  0 done, 1 failed, 2 wrong usage or inventory, 3 machine unreachable, 75 locked by someone else,
  130 cancelled by Ctrl-C
`)
})

describe('layout', () => {
  test('long texts are wrapped at 100 columns, under their own column', () => {
    const text = helpText({
      ...task,
      summary: 'word '.repeat(40).trim(),
      flags: z.object({
        aFlagWithARatherLongNameForOneLine: z.string().default('x').describe('word '.repeat(60).trim()),
        short: z.boolean().default(false).describe('word '.repeat(30).trim()),
      }),
    })
    const lines = text.split('\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
    expect(lines.find((line) => line.startsWith('  --a-flag'))).toBe(
      '  --a-flag-with-a-rather-long-name-for-one-line <text>',
    )
    const below = lines[lines.findIndex((line) => line.startsWith('  --short')) + 1]
    expect(below).toMatch(/^ {38}word/)
  })

  test('without examples of its own, a task shows its shortest dry run', () => {
    const { name, summary, flags } = task
    expect(helpText({ name, summary, flags })).toContain(
      'Examples\n  npx tsx tasks/pg-reset.ts --database NAME --dry-run\n',
    )
  })

  test('a task without flags of its own has no heading for them', () => {
    const text = helpText({ ...task, flags: z.object({}) })
    expect(text).not.toContain('\nFlags\n')
    expect(text).toContain('Usage: npx tsx tasks/pg-reset.ts [flags]\n')
  })
})
