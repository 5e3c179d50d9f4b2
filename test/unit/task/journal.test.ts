import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { TaskEventBody } from '../../../lib/task/events.ts'
import { openJournal } from '../../../lib/task/journal.ts'
import { operator } from '../../../lib/task/operator.ts'
import { happened } from './screen.ts'

let root: string
let folder: string
const warnings: string[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'journal-'))
  folder = join(root, 'state', 'journal')
  warnings.length = 0
})

afterEach(() => rm(root, { recursive: true }))

function warn(text: string): void {
  warnings.push(text)
}

const start: TaskEventBody = { event: 'start', flags: { database: 'weltenwind' }, dryRun: false }
const end: TaskEventBody = { event: 'end', outcome: 'done', changed: 1, unchanged: 1, code: 0, ms: 1200 }
const change = { event: 'change', host: 'pg-primary', user: 'postgres', command: 'psql -X' } as const

async function journaled(bodies: readonly TaskEventBody[], redact = (text: string) => text): Promise<void> {
  const journal = await openJournal({ estate: 'weltenwind', folder, redact, warn })
  for (const body of bodies) journal.event(happened(body))
}

function lines(): unknown[] {
  const text = readFileSync(join(folder, '2025-11.jsonl'), 'utf8')
  expect(text.endsWith('\n')).toBe(true)
  return text
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
}

describe('a run in the journal', () => {
  test('is its start, what was changed, and its end', async () => {
    await journaled([
      start,
      { event: 'step', state: 'started', title: 'Drop' },
      { event: 'note', text: '12 tables' },
      { ...change, state: 'done', input: 'DROP DATABASE weltenwind' },
      { ...change, state: 'unchanged', command: 'chmod 600 /etc/app.env' },
      { ...change, state: 'failed', command: 'npx prisma migrate deploy' },
      { event: 'error', message: 'the migration failed', code: 1 },
      { event: 'error', message: 'and the old one could not be put back', code: 1 },
      { ...end, outcome: 'failed', code: 1 },
    ])
    const common = {
      time: '2025-11-21T02:24:00.000Z',
      run: expect.stringMatching(/^[0-9a-f]{8}$/),
      task: 'pg-reset',
    }
    expect(lines()).toEqual([
      {
        ...common,
        event: 'start',
        who: operator(),
        estate: 'weltenwind',
        dryRun: false,
        flags: { database: 'weltenwind' },
      },
      { ...common, ...change, state: 'done', input: 'DROP DATABASE weltenwind' },
      { ...common, ...change, state: 'failed', command: 'npx prisma migrate deploy' },
      {
        ...common,
        event: 'end',
        outcome: 'failed',
        code: 1,
        changed: 1,
        unchanged: 1,
        ms: 1200,
        errors: ['the migration failed', 'and the old one could not be put back'],
      },
    ])
    expect(warnings).toEqual([])
  })

  test('of a dry run has no changes', async () => {
    await journaled([{ ...start, dryRun: true }, { ...change, state: 'would' }, end])
    expect(lines()).toMatchObject([{ event: 'start', dryRun: true }, { event: 'end' }])
  })

  test('can be told from another one', async () => {
    await journaled([start, end])
    await journaled([start, end])
    const runs = new Set(lines().map((line) => JSON.stringify(line).replace(/.*"run":"(\w+)".*/, '$1')))
    expect(runs.size).toBe(2)
  })

  test('holds no secret, not even half of one at a cut', async () => {
    const secret = randomBytes(12).toString('hex')
    const redact = (text: string) => text.replaceAll(secret, '•••')
    const long = `${'x'.repeat(3990)}${secret}${'y'.repeat(5000)}`
    await journaled(
      [
        { ...start, flags: { url: `postgres://app:${secret}@db`, list: [secret] } },
        { ...change, state: 'done', input: long },
      ],
      redact,
    )
    const text = readFileSync(join(folder, '2025-11.jsonl'), 'utf8')
    for (let length = 6; length <= secret.length; length += 6)
      expect(text).not.toContain(secret.slice(0, length))
    expect(lines()).toMatchObject([
      { flags: { url: 'postgres://app:•••@db', list: ['•••'] } },
      { input: expect.stringMatching(/^x{3990}•••y{7}… \(4993 more characters\)$/) },
    ])
  })
})

describe('the file', () => {
  test('is for its owner only, the folder too', async () => {
    await journaled([start])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, '2025-11.jsonl')).mode & 0o777).toBe(0o600)
  })

  test('is made so when others could read it', async () => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, '2025-11.jsonl'), '')
    chmodSync(folder, 0o755)
    chmodSync(join(folder, '2025-11.jsonl'), 0o644)
    await journaled([start])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, '2025-11.jsonl')).mode & 0o777).toBe(0o600)
  })

  test('a line that was left half written swallows none', async () => {
    await journaled([start])
    appendFileSync(join(folder, '2025-11.jsonl'), '{"time":"2025-11-21T02:')
    await journaled([end])
    const text = readFileSync(join(folder, '2025-11.jsonl'), 'utf8').trimEnd().split('\n')
    expect(text).toHaveLength(3)
    expect(JSON.parse(text[2] ?? '')).toMatchObject({ event: 'end' })
  })

  test('takes the lines of several programs at once whole', async () => {
    const programs = 3
    const each = 200
    const module = pathToFileURL('lib/task/journal-file.ts').href
    const script = `
      import { appendLine } from ${JSON.stringify(module)}
      for (let i = 0; i < ${each}; i++) appendLine(process.argv[1], 'all.jsonl', JSON.stringify({ who: process.argv[2], i, text: process.argv[2].repeat(9000) }))`
    await Promise.all(
      Array.from({ length: programs }, (_, who) =>
        promisify(execFile)(process.execPath, [
          '--import',
          'tsx',
          '--input-type=module',
          '-e',
          script,
          folder,
          String(who),
        ]),
      ),
    )
    const written = readFileSync(join(folder, 'all.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
    expect(written).toHaveLength(programs * each)
    for (const line of written)
      expect(JSON.parse(line)).toMatchObject({ text: expect.stringMatching(/^(0+|1+|2+)$/) })
  })
})

describe('a journal that cannot be written', () => {
  test('is one warning, and the run goes on', async () => {
    writeFileSync(join(root, 'state'), 'a file where a folder should be')
    await journaled([start, { ...change, state: 'done' }, end])
    expect(warnings).toEqual([
      expect.stringMatching(
        /^the journal cannot be written, so it will not tell of this run: (ENOTDIR|EEXIST).*state/,
      ),
    ])
  })

  test('is written again as soon as it can be', async () => {
    writeFileSync(join(root, 'state'), '')
    const journal = await openJournal({ folder, redact: (text) => text, warn })
    journal.event(happened(start))
    await rm(join(root, 'state'))
    journal.event(happened(end))
    expect(lines()).toMatchObject([{ event: 'end' }])
    expect(warnings).toHaveLength(1)
  })
})

/** What a fresh program, with this environment, would use. */
async function stateFolder(env: NodeJS.ProcessEnv): Promise<string> {
  const module = pathToFileURL('lib/task/state-folder.ts').href
  const script = `
    import { stateFolder } from ${JSON.stringify(module)}
    console.log(await stateFolder().catch((error) => error.message))`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    { env: { PATH: process.env['PATH'], ...env } },
  )
  return stdout.trim()
}

describe('where it is', () => {
  const under = { darwin: 'Library/Logs/hausmeister', linux: '.local/state/hausmeister' }
  const usual = process.platform === 'darwin' ? under.darwin : under.linux

  test('in the state folder of whoever runs it', async () => {
    expect(await stateFolder({ HOME: root })).toBe(join(root, usual))
  })

  test('without HOME, in that of the account', async () => {
    expect(await stateFolder({})).toMatch(new RegExp(`^/.+${usual}$`))
  })

  test('nowhere, when that depends on where one stands', async () => {
    expect(await stateFolder({ HOME: '' })).toContain(
      'which depends on where one stands: set HOME to a full path',
    )
    expect(existsSync('.local')).toBe(false)
  })
})

describe('who runs it', () => {
  test('is the account and the machine', () => {
    expect(operator({})).toMatch(new RegExp(`^\\S+@${hostname()}$`))
  })

  test('and who stands behind sudo', () => {
    expect(operator({ SUDO_USER: 'anna' })).toMatch(/^\S+@\S+ \(sudo by anna\)$/)
  })
})
