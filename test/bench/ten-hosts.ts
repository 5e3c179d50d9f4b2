import { type Lab, openLab } from '../lab/lab.ts'
import { machines } from '../lab/machines.ts'
import { ansible } from './ansible.ts'
import { commands } from './commands.ts'
import { Desk } from './desk.ts'
import { byBundle, byNode, byNpx, insideTitle } from './hausmeister.ts'
import { cold, warm } from './open-ssh.ts'
import { isInstalled, versionOf } from './programs.ts'
import { type Contestant, median, race, roundsOf, type Times } from './race.ts'
import { milliseconds, ratio, table } from './table.ts'
import type { Way } from './way.ts'

const ways: readonly Way[] = [byNpx, byNode, byBundle, warm, cold, ansible]

/** How many times as long as hausmeister these are to take, for ten commands on ten hosts. */
const goals = [
  { way: ansible, times: 10 },
  { way: cold, times: 5 },
]

/** Takes a lab of its own up for the time it needs; one that is up is used and left up. Returns Markdown. */
export async function tenHostsSection(signal: AbortSignal, say: (line: string) => void): Promise<string> {
  const lab = openLab(process.env['LAB_NAME'] ?? 'hm-bench')
  const ours = (await lab.record())?.machines.length !== machines.length
  try {
    if (ours) await lab.up([], (line) => say(`lab ${lab.name}: ${line}`))
    signal.throwIfAborted()
    return await measure(lab, signal, say)
  } finally {
    if (ours) await lab.down()
  }
}

async function measure(lab: Lab, signal: AbortSignal, say: (line: string) => void): Promise<string> {
  const desk = await Desk.open(lab, signal)
  const { present, absent } = await whatIsInstalled()
  try {
    for (const way of present) {
      say(`ten hosts: ${way.title}`)
      await way.prepare?.(desk)
      // Once for the caches of the disk and of tsx.
      await contestant(desk, way, 1).run()
    }
    const contestants = present.flatMap((way) =>
      [1, commands.length].map((count) => contestant(desk, way, count)),
    )
    say('ten hosts: all in turns')
    const times = await race(contestants, { rounds: 7, budget: 75_000 })
    const versions = await Promise.all([versionOf('ssh', '-V'), versionOf('ansible-playbook', '--version')])
    const measured = `Measured against ${versions.filter(Boolean).join(' and ')}.`
    return report(times, present, [measured, ...absent])
  } finally {
    for (const way of present) await way.finish?.(desk)
    await desk.close()
  }
}

function contestant(desk: Desk, way: Way, count: number): Contestant {
  return {
    async run() {
      const measured = await way.ask(desk, count)
      await way.settle?.(desk)
      return Object.fromEntries(Object.entries(measured).map(([title, ms]) => [key(title, count), ms]))
    },
  }
}

function key(title: string, count: number): string {
  return `${title} × ${count}`
}

async function whatIsInstalled(): Promise<{ present: Way[]; absent: string[] }> {
  const present: Way[] = []
  const absent: string[] = []
  for (const way of ways) {
    const missing = []
    for (const program of way.needs) if (!(await isInstalled(program))) missing.push(program)
    if (missing.length === 0) present.push(way)
    else absent.push(`Not measured: ${way.title}; ${missing.join(' and ')} is not installed here.`)
  }
  return { present, absent }
}

function report(times: Times, present: readonly Way[], remarks: readonly string[]): string {
  const titles = present.flatMap(({ title }) => (title === byNode.title ? [title, insideTitle] : [title]))
  const of = (title: string, count: number) => median(times, key(title, count))
  const many = commands.length
  return [
    `### Ten hosts × 1 and × ${many} commands, medians of ${roundsOf(times)} rounds`,
    '',
    table(
      ['', '× 1', `× ${many}`, `× ${many} / \`node --import tsx\``, `× ${many} / bundled`],
      titles.map((title) => [
        title,
        milliseconds(of(title, 1)),
        milliseconds(of(title, many)),
        ratio(of(title, many), of(byNode.title, many)),
        ratio(of(title, many), of(byBundle.title, many)),
      ]),
    ),
    '',
    remarks.join(' '),
    '',
    ...goals.filter(({ way }) => present.includes(way)).map((goal) => `- Goal: ${verdict(times, goal)}.`),
  ].join('\n')
}

function verdict(times: Times, goal: (typeof goals)[number]): string {
  const of = (title: string) => median(times, key(title, commands.length))
  const told = [byBundle.title, byNode.title, byNpx.title].map((title) => {
    const is = of(goal.way.title) / of(title)
    return `${is >= goal.times ? 'met' : 'missed'} by ${title} (${is.toFixed(1)})`
  })
  return `${goal.way.title} takes at least ${goal.times} times as long: ${told.join(', ')}`
}
