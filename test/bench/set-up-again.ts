import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { fastForm } from '../../lib/schedule/checkout.ts'
import { ClusterStage } from '../lab/cluster-stage.ts'
import { type Lab, openLab } from '../lab/lab.ts'
import { machines } from '../lab/machines.ts'
import { ansibleConfiguration, ansibleSockets } from './ansible.ts'
import { Desk } from './desk.ts'
import { endMasters } from './masters.ts'
import { isInstalled } from './programs.ts'
import { type Contestant, median, race, roundsOf } from './race.ts'
import { stripsTypes } from './strips-types.ts'
import { milliseconds, ratio, table } from './table.ts'

const host = 'spare-1'
const playbook = fileURLToPath(new URL('set-up.yml', import.meta.url))
const folder = '/etc/postgresql/15/main'
const npx = 'pg-setup, `npx tsx`'
const withTsx = 'pg-setup, `node --import tsx`'
const bare = 'pg-setup, `node`'
const fast = 'pg-setup, fast form'
const ansible = 'Ansible'

/** How many times as long as pg-setup Ansible is to take. */
const goal = 10

/**
 * A second run of pg-setup on a machine that is set up, against a playbook that looks at the same: nothing is to be
 * done, and both say so. Returns Markdown.
 */
export async function setUpAgainSection(signal: AbortSignal, say: (line: string) => void): Promise<string> {
  if (!(await isInstalled('ansible-playbook')))
    return 'pg-setup again: not measured, there is no Ansible here.'
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
  const stage = await ClusterStage.open(lab, [host])
  const desk = await Desk.open(lab, signal)
  try {
    say('pg-setup again: setting up')
    await stage.makeBare(host)
    const first = await stage.run('pg-setup')
    if (first.code !== 0) throw new Error(first.error)
    await writePlaybook(desk)
    const task = ['tasks/pg-setup.ts', '--inventory', stage.inventory, '--quiet']
    const run = async (title: string, command: string[], env = {}): Promise<Record<string, number>> => {
      const { ms, output } = await desk.run(command, { env })
      if (title === ansible && !/changed=0 .*failed=0/.test(output)) throw new Error(output)
      return { [title]: ms }
    }
    const contestants: Contestant[] = [
      { run: () => run(npx, ['npx', 'tsx', ...task]) },
      { run: () => run(withTsx, [process.execPath, '--import', 'tsx', ...task]) },
      { run: () => run(fast, [process.execPath, fastForm, ...task]) },
      ...(stripsTypes() ? [{ run: () => run(bare, [process.execPath, ...task]) }] : []),
      { run: () => playbookAgain(desk, run) },
    ]
    // Once for the caches of the disk and of tsx.
    for (const contestant of contestants) await contestant.run()
    say('pg-setup again: all in turns')
    const times = await race(contestants, { rounds: 7, budget: 150_000 })
    const of = (title: string) => median(times, title)
    const ways = [...times.keys()].filter((title) => title !== ansible)
    const told = ways.map((title) => verdict(title, of(ansible) / of(title)))
    return [
      `### pg-setup on a machine that is set up, medians of ${roundsOf(times)} rounds`,
      '',
      table(
        ['', 'again', 'Ansible takes'],
        [...ways, ansible].map((title) => [title, milliseconds(of(title)), ratio(of(ansible), of(title))]),
      ),
      '',
      `- Goal: Ansible takes at least ${goal} times as long: ${told.join(', ')}.`,
    ].join('\n')
  } finally {
    await endMasters(ansibleSockets(desk))
    await stage.makeBare(host)
    await desk.close()
    await stage.close()
  }
}

function verdict(way: string, faster: number): string {
  return `${faster >= goal ? 'met' : 'missed'} by ${way} (${faster.toFixed(1)})`
}

async function playbookAgain(
  desk: Desk,
  run: (title: string, command: string[], env: Record<string, string>) => Promise<Record<string, number>>,
): Promise<Record<string, number>> {
  const at = (name: string) => join(desk.folder, name)
  const env = { LC_ALL: 'C.UTF-8', ANSIBLE_CONFIG: at('ansible.cfg') }
  const given = ['secrets.json', 'vars.json'].flatMap((name) => ['-e', `@${at(name)}`])
  const command = ['ansible-playbook', '-i', at('hosts.yml'), ...given, playbook]
  const times = await run(ansible, command, env)
  // The connections that it leaves open would make the next round start warm.
  await endMasters(ansibleSockets(desk))
  return times
}

async function writePlaybook(desk: Desk): Promise<void> {
  const { lab } = desk
  const at = (name: string) => join(desk.folder, name)
  const file = async (path: string) => (await lab.sh(host, `cat ${path}`)).stdout
  const { app, replication } = await lab.secrets()
  await mkdir(ansibleSockets(desk), { mode: 0o700 })
  await writeFile(at('ansible.cfg'), ansibleConfiguration(desk))
  await writeFile(at('secrets.json'), JSON.stringify({ app, replication }), { mode: 0o600 })
  const hosts = Object.fromEntries(machines.map(({ name }) => [name, {}]))
  await writeFile(at('hosts.yml'), JSON.stringify({ all: { hosts } }))
  await writeFile(at('hausmeister.conf'), `${await file(`${folder}/conf.d/hausmeister.conf`)}\n`)
  const block = /^(# BEGIN hausmeister.*)\n([^]*)\n(# END hausmeister)$/m.exec(
    await file(`${folder}/pg_hba.conf`),
  )
  const vars = { folder, begin: block?.[1], rules: block?.[2], end: block?.[3], conf: at('hausmeister.conf') }
  await writeFile(at('vars.json'), JSON.stringify(vars))
}
