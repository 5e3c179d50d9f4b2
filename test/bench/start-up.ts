import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { execa } from 'execa'

import { fastForm } from '../../lib/schedule/checkout.ts'
import { type Contestant, median, race, roundsOf } from './race.ts'
import { stripsTypes } from './strips-types.ts'
import { milliseconds, table } from './table.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const task = 'tasks/pg-reset.ts'
/** `--help` may take this much longer than an empty file. Milliseconds. */
const goal = 150

interface Way {
  title: string
  command: [string, ...string[]]
  /** What starts an empty file; default: the same. */
  empty?: [string, ...string[]]
}

function waysToRun(): Way[] {
  const node = process.execPath
  const ways: Way[] = [
    { title: 'npx tsx', command: ['npx', 'tsx'] },
    { title: 'node --import tsx', command: [node, '--import', 'tsx'] },
    { title: `node ${fastForm}`, command: [node, fastForm], empty: [node] },
  ]
  return stripsTypes() ? [...ways, { title: 'node', command: [node] }] : ways
}

/** How long `--help` takes, and how much of it is Node's and tsx's own. Returns Markdown. */
export async function startUpSection(signal: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hm-bench-'))
  try {
    const [asTs, asJs] = [join(folder, 'empty.ts'), join(folder, 'empty.js')]
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    for (const file of [asTs, asJs]) await writeFile(file, '')
    const ways = waysToRun()
    const contestants = [
      contestant('bare', [process.execPath, '-e', '0'], signal),
      ...ways.flatMap(({ title, command, empty }) => [
        contestant(`${title} empty`, empty ? [...empty, asJs] : [...command, asTs], signal),
        contestant(`${title} help`, [...command, task, '--help'], signal),
      ]),
    ]
    // Once for the caches of the disk and of tsx.
    for (const each of contestants) await each.run()
    const times = await race(contestants, { rounds: 11, budget: 25_000 })
    const rows = ways.map(({ title }) => {
      const [empties, help] = [median(times, `${title} empty`), median(times, `${title} help`)]
      return { title, empties, help, more: help - empties }
    })
    return [
      `### Start-up: \`${task} --help\`, medians of ${roundsOf(times)} rounds`,
      '',
      table(
        ['started with', 'an empty file', '`--help`', 'more'],
        [
          ...rows.map(({ title, empties, help, more }) => [
            `\`${title}\``,
            milliseconds(empties),
            milliseconds(help),
            milliseconds(more),
          ]),
          ['`node -e 0`', milliseconds(median(times, 'bare')), '', ''],
        ],
      ),
      '',
      ...(stripsTypes()
        ? []
        : [`Node ${process.versions.node} does not run TypeScript by itself; 22.18 does.`, '']),
      `- Goal: at most ${goal} ms more than the empty file: ${verdict(rows)}.`,
    ].join('\n')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function contestant(name: string, [file, ...args]: [string, ...string[]], signal: AbortSignal): Contestant {
  return {
    async run() {
      const start = performance.now()
      await execa(file, args, { cwd: root, stdin: 'ignore', cancelSignal: signal })
      return { [name]: performance.now() - start }
    },
  }
}

function verdict(rows: readonly { title: string; more: number }[]): string {
  const missed = rows.filter(({ more }) => more > goal).map(({ title }) => `\`${title}\``)
  return missed.length === 0 ? 'met' : `missed with ${missed.join(' and ')}`
}
