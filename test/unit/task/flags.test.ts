import { describe, expect, test } from 'vitest'
import * as z from 'zod'

import { parseFlags, wantsHelp } from '../../../lib/task/flags.ts'

const reset = z.object({
  database: z.string().meta({ description: 'the database to reset', placeholder: 'NAME' }),
  skipSeed: z.boolean().default(false).describe('leave the new database empty'),
  keepCopy: z.boolean().default(true).describe('keep the old one'),
  port: z.int().min(1).max(65_535).optional(),
  format: z.enum(['custom', 'plain']).default('custom'),
  table: z.array(z.string()).default([]),
  level: z.array(z.int()).optional(),
})
const none = z.object({})

const invocation = 'npx tsx tasks/pg-reset.ts'

function accepted<S extends z.ZodObject>(schema: S, ...argv: string[]) {
  const parsed = parseFlags(schema, argv, invocation)
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'))
  return parsed
}

function refused(schema: z.ZodObject, ...argv: string[]): string[] {
  const parsed = parseFlags(schema, argv, invocation)
  if (parsed.ok) throw new Error(`accepted: ${JSON.stringify(parsed.flags)}`)
  return parsed.problems
}

describe('what a task gets', () => {
  test('defaults for what was not given', () => {
    const { flags, common } = accepted(reset, '--database', 'weltenwind')
    expect(flags).toEqual({
      database: 'weltenwind',
      skipSeed: false,
      keepCopy: true,
      format: 'custom',
      table: [],
    })
    expect(common).toEqual({
      help: false,
      dryRun: false,
      yes: false,
      json: false,
      verbose: false,
      quiet: false,
    })
  })

  test('every kind of flag, with a space and with an equals sign', () => {
    const argv = ['--database=a=b', '--skip-seed', '--no-keep-copy', '--port', '5432', '--format=plain']
    const { flags } = accepted(
      reset,
      ...argv,
      '--table',
      'users',
      '--table=orders',
      '--level',
      '-1',
      '--level=2',
    )
    expect(flags).toEqual({
      database: 'a=b',
      skipSeed: true,
      keepCopy: false,
      port: 5432,
      format: 'plain',
      table: ['users', 'orders'],
      level: [-1, 2],
    })
  })

  test('the flags of every task, in any order', () => {
    const argv = ['--dry-run', '--database', 'w', '--inventory', 'other.json', '--yes', '--verbose']
    expect(accepted(reset, ...argv).common).toMatchObject({
      dryRun: true,
      yes: true,
      inventory: 'other.json',
      verbose: true,
    })
  })

  test('true and false in so many words', () => {
    const { flags, common } = accepted(reset, '--database=w', '--keep-copy=false', '--dry-run=true')
    expect(flags.keepCopy).toBe(false)
    expect(common.dryRun).toBe(true)
  })

  test('a boolean without a default is false', () => {
    expect(accepted(z.object({ force: z.boolean() })).flags).toEqual({ force: false })
  })

  test('values that only look like flags', () => {
    expect(accepted(reset, '--database=--weltenwind').flags.database).toBe('--weltenwind')
    expect(accepted(reset, '--database', '-').flags.database).toBe('-')
  })

  test('the same value twice is one value', () => {
    expect(accepted(reset, '--database', 'w', '--database', 'w').flags.database).toBe('w')
  })

  test('values that zod transforms', () => {
    const schema = z.object({
      since: z.string().transform((text) => text.length),
      host: z.preprocess((text) => `${String(text)}.lan`, z.string()),
    })
    expect(accepted(schema, '--since', 'abc', '--host', 'pve').flags).toEqual({ since: 3, host: 'pve.lan' })
  })
})

describe('one problem each', () => {
  test.each<[string, string[], string]>([
    [
      'a mistyped flag takes its value along',
      ['--databse', 'w'],
      'there is no flag --databse; did you mean --database?',
    ],
    ['camel case', ['--database=w', '--skipSeed'], 'there is no flag --skipSeed; did you mean --skip-seed?'],
    ['a shortened flag', ['--database=w', '--verb'], 'there is no flag --verb; did you mean --verbose?'],
    ['a flag nobody knows', ['--database=w', '--xylophone'], 'there is no flag --xylophone; see --help'],
    [
      'a name every object has',
      ['--database=w', '--constructor'],
      'there is no flag --constructor; see --help',
    ],
    ['a short flag', ['--database=w', '-y'], 'there is no flag -y; did you mean --yes?'],
    [
      'a negation of what is off',
      ['--database=w', '--no-skip-seed'],
      'there is no flag --no-skip-seed; did you mean --skip-seed?',
    ],
    ['no value at the end', ['--database'], '--database takes a value: --database NAME'],
    ['no value before a flag', ['--database', '--dry-run'], '--database takes a value: --database NAME'],
    [
      'a value with a hyphen',
      ['--database', '-w'],
      '--database takes a value: --database NAME (a value that begins with a hyphen: --database=-w)',
    ],
    ['an empty variable of a script', ['--database', ''], '--database was given an empty value'],
    ['an empty value', ['--database='], '--database was given an empty value'],
    ['no number', ['--database=w', '--port', 'pg'], '--port takes a number, not "pg"'],
    ['a number in another notation', ['--database=w', '--port=0x10'], '--port takes a number, not "0x10"'],
    [
      'too large',
      ['--database=w', '--port=70000'],
      '--port: Too big: expected number to be <=65535 (given: "70000")',
    ],
    [
      'not one of the choices',
      ['--database=w', '--format=plian'],
      '--format takes one of custom, plain, not "plian"; did you mean plain?',
    ],
    ['a value for a boolean', ['--database=w', '--dry-run=maybe'], '--dry-run takes no value, not "maybe"'],
    ['two values', ['--database=a', '--database=b'], '--database was given 2 times: "a", "b"'],
    [
      'yes and no',
      ['--database=w', '--keep-copy', '--no-keep-copy'],
      '--keep-copy and --no-keep-copy contradict each other',
    ],
    ['a word of its own', ['--database=w', 'now'], '"now" stands alone: a task takes flags only, see --help'],
    [
      'words after --',
      ['--database=w', '--', '--yes'],
      '"--yes" stands alone: a task takes flags only, see --help',
    ],
    [
      'hyphens that a word processor joined',
      ['--database=w', '\u2014yes'],
      '"\u2014yes" begins with a dash that is no hyphen: type two hyphens',
    ],
    [
      'a required flag that is missing',
      [],
      '--database NAME is missing: the database to reset; for example: npx tsx tasks/pg-reset.ts --database NAME',
    ],
    [
      'JSON and silence',
      ['--database=w', '--json', '--quiet'],
      '--json and --quiet contradict each other: JSON is every event',
    ],
    [
      'silence and talk',
      ['--database=w', '--quiet', '--verbose'],
      '--quiet and --verbose contradict each other',
    ],
  ])('%s', (_, argv, problem) => {
    expect(refused(reset, ...argv)).toEqual([problem])
  })
})

test('all problems at once', () => {
  expect(refused(reset, '--port', 'x', '--colour', 'red', 'now', '--json', '--quiet')).toEqual([
    'there is no flag --colour; see --help',
    '"red" stands alone: a task takes flags only, see --help',
    '"now" stands alone: a task takes flags only, see --help',
    '--json and --quiet contradict each other: JSON is every event',
    '--port takes a number, not "x"',
    '--database NAME is missing: the database to reset; for example: npx tsx tasks/pg-reset.ts --database NAME',
  ])
})

test('several missing flags share one example', () => {
  const schema = z.object({ from: z.string().describe('the old primary'), to: z.string() })
  expect(refused(schema)).toEqual([
    '--from <text> is missing: the old primary',
    '--to <text> is missing; for example: npx tsx tasks/pg-reset.ts --from <text> --to <text>',
  ])
})

test('a rule over several flags is told in its own words', () => {
  const schema = z
    .object({ undo: z.boolean().default(false), discard: z.boolean().default(false) })
    .refine((flags) => !(flags.undo && flags.discard), '--undo needs the copy that --discard drops')
  expect(refused(schema, '--undo', '--discard')).toEqual(['--undo needs the copy that --discard drops'])
})

test('how to report is known although the rest was not understood', () => {
  expect(parseFlags(reset, ['--json', '--nonsense'])).toMatchObject({ ok: false, common: { json: true } })
})

test('help is wanted whatever else is there, unless it is no flag', () => {
  expect(wantsHelp(['--nonsense', '--help'])).toBe(true)
  expect(wantsHelp(['-h'])).toBe(true)
  expect(wantsHelp(['--', '--help'])).toBe(false)
  expect(wantsHelp([])).toBe(false)
})

describe('mistakes of whoever writes a task', () => {
  test('a flag that every task has already', () => {
    expect(() => parseFlags(z.object({ dryRun: z.boolean() }), [])).toThrow('--dry-run is defined twice')
  })

  test('a type nobody can type', () => {
    expect(() => parseFlags(z.object({ when: z.date() }), [])).toThrow(
      'flag when: nobody can type a date on a command line',
    )
  })
})

test('a task without flags takes those of every task', () => {
  expect(accepted(none, '--yes')).toMatchObject({ flags: {}, common: { yes: true } })
})
