import { expect, test } from 'vitest'

import { Hosts } from '../../../lib/host/hosts.ts'
import type { Job } from '../../../lib/schedule/job.ts'
import { systemd, unitsOf } from '../../../lib/schedule/systemd.ts'
import { type Call, estateOf, failure, RecordedRun, ScriptedMachine } from '../doubles.ts'

const job: Job = {
  name: 'hausmeister-shop-backup-now',
  description: 'backup-now of shop, 100 %',
  at: 'Sun 04:00',
  command: ['/usr/bin/node', 'tasks/backup-now.ts', '--note', 'a "b" $c'],
  directory: '/opt/house 100%',
  user: 'backup',
}
const timer = `${job.name}.timer`
const service = `${job.name}.service`

/** A systemd that knows these files and has read them. */
class Systemd {
  readonly files = new Map<string, string>()
  readonly acts: string[] = []
  active = false
  stale = false

  script = async ({ script, say, input }: Call): Promise<number> => {
    if (script.includes('systemctl show')) {
      for (const unit of [timer, service].filter((name) => script.includes(name))) say(this.#show(unit))
      return 0
    }
    const [, path = ''] = /\[ -e (\S+) \]/.exec(script) ?? []
    if (path !== '') {
      const text = this.files.get(path)
      if (text !== undefined) say(`there\n${text}`)
      return 0
    }
    if (script.includes('stat -Lc')) {
      say('644 root root 0:0')
      return 0
    }
    if (script.includes('mktemp') || script.includes('mv -f')) {
      const [, to = ''] = /readlink -f -- (\S+)\)/.exec(script) ?? []
      this.files.set(to, await input())
      this.acts.push(`write ${to}`)
      return 0
    }
    this.acts.push(script.replace('set -euo pipefail; ', ''))
    if (script.includes('enable --now')) this.active = true
    if (script.includes('disable --now')) this.active = false
    if (script.includes('rm -f')) this.files.clear()
    if (script.includes('daemon-reload')) this.stale = false
    return 0
  }

  #show(unit: string): string {
    const path = `/etc/systemd/system/${unit}`
    const there = this.files.has(path)
    return [
      `Id=${unit}`,
      `LoadState=${there ? 'loaded' : 'not-found'}`,
      `ActiveState=${this.active && unit === timer ? 'active' : 'inactive'}`,
      `UnitFileState=${this.active && unit === timer ? 'enabled' : 'disabled'}`,
      `FragmentPath=${there ? path : ''}`,
      `NeedDaemonReload=${this.stale ? 'yes' : 'no'}`,
      `NextElapseUSecRealtime=${this.active && unit === timer ? 'Sun 2026-11-29 04:00:00 UTC' : ''}`,
      '',
      '',
    ].join('\n')
  }
}

async function open(machine: Systemd, dryRun = false) {
  const run = new RecordedRun({ dryRun })
  const hosts = new Hosts(await estateOf({ hosts: { ops: {} } }), run, async (name) => {
    return new ScriptedMachine(name, machine.script)
  })
  return { scheduler: systemd(await hosts.get('ops'), run), run }
}

test('a timer and a service, with what systemd would read otherwise escaped', () => {
  const units = unitsOf(job)
  expect(units.get(timer)).toContain('\nOnCalendar=Sun *-*-* 04:00:00\n')
  expect(units.get(timer)).toContain('\nPersistent=true\n')
  const text = units.get(service) ?? ''
  expect(text).toContain('\nDescription=backup-now of shop, 100 %%\n')
  expect(text).toContain('\nUser=backup\nWorkingDirectory=/opt/house 100%%\n')
  expect(text).toContain(String.raw`ExecStart=/usr/bin/node tasks/backup-now.ts --note "a \"b\" $$c"`)
})

test('it is installed once; a second time there is nothing to do', async () => {
  const machine = new Systemd()
  const first = await open(machine)
  await first.scheduler.install([job])
  expect(machine.acts).toEqual([
    `write /etc/systemd/system/${timer}`,
    `write /etc/systemd/system/${service}`,
    'systemctl daemon-reload',
    `systemctl --quiet enable --now ${timer}`,
  ])
  expect(await first.scheduler.next([job])).toEqual(['Sun 2026-11-29 04:00:00 UTC'])
  const second = await open(machine)
  await second.scheduler.install([job])
  expect(second.run.changes.map(({ state }) => state)).toEqual(['unchanged', 'unchanged'])
})

test('what a run that was cut off has written is read by systemd in the next one', async () => {
  const machine = new Systemd()
  for (const [unit, text] of unitsOf(job)) machine.files.set(`/etc/systemd/system/${unit}`, text)
  machine.stale = true
  const { scheduler } = await open(machine)
  await scheduler.install([job])
  expect(machine.acts).toEqual(['systemctl daemon-reload', `systemctl --quiet enable --now ${timer}`])
})

test('a dry run tells all of it and does nothing', async () => {
  const machine = new Systemd()
  const { scheduler, run } = await open(machine, true)
  await scheduler.install([job])
  expect(machine.acts).toEqual([])
  expect(
    run.changes.map(({ state, command }) => `${state} ${command.split(' ').slice(0, 2).join(' ')}`),
  ).toEqual([
    `would write /etc/systemd/system/${timer}`,
    `would write /etc/systemd/system/${service}`,
    'would systemctl daemon-reload',
    'would systemctl --quiet',
  ])
})

test.each(['install', 'remove'] as const)('%s leaves a unit of somebody else alone', async (act) => {
  const machine = new Systemd()
  machine.files.set(`/etc/systemd/system/${service}`, '[Service]\nExecStart=/bin/true\n')
  const { scheduler } = await open(machine)
  const { message } = await failure(
    act === 'install' ? scheduler.install([job]) : scheduler.remove([job.name]),
  )
  expect(message).toMatch(
    /^\/etc\/systemd\/system\/hausmeister-shop-backup-now\.service on ops is not of haus/,
  )
  expect(machine.acts).toEqual([])
})

test('a timer that does not wait for anything is found out', async () => {
  const machine = new Systemd()
  const { scheduler } = await open(machine)
  await scheduler.install([job])
  machine.active = false
  expect((await failure(scheduler.next([job]))).message).toBe(`${timer} on ops would not run: it is inactive`)
  machine.files.clear()
  expect((await failure(scheduler.next([job]))).message).toMatch(/would not run: systemd says not-found/)
})

test('it is taken away with the time of its last run; a second time there is nothing to do', async () => {
  const machine = new Systemd()
  const { scheduler } = await open(machine)
  await scheduler.install([job])
  machine.acts.length = 0
  await scheduler.remove([job.name])
  expect(machine.acts).toEqual([
    `systemctl --quiet disable --now ${timer}`,
    `systemctl clean --what=state ${timer}`,
    `rm -f -- /etc/systemd/system/${timer} /etc/systemd/system/${service}`,
    'systemctl daemon-reload',
  ])
  expect(await scheduler.installed([job.name])).toEqual([])
  const again = await open(machine)
  await again.scheduler.remove([job.name])
  expect(again.run.changes.map(({ state }) => state)).toEqual(['unchanged', 'unchanged'])
})
