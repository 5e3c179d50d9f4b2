import type { Run } from '../host/events.ts'
import type { Host } from '../host/host.ts'
import { TaskError } from '../task/errors.ts'
import { calendarOf, type Job, type Scheduler } from './job.ts'

const folder = '/etc/systemd/system'

/** The first line of what is ours. */
const mark = '# Written by hausmeister, which overwrites it. Settings of your own: systemctl edit'

/** What systemd knows of a unit, as `systemctl show` names it. */
type Unit = Record<'Id' | 'LoadState' | 'ActiveState' | 'UnitFileState' | 'FragmentPath', string> & {
  NeedDaemonReload: string
  /** Text in the machine's own time; empty: it does not run by itself. */
  NextElapseUSecRealtime: string
}

/** Timers of the system, whose services run as the user of each job. */
export function systemd(login: Host, run: Run): Scheduler {
  const host = login.as('root')
  const name = `systemd on ${host.name}`

  async function show(units: readonly string[]): Promise<Unit[]> {
    const { stdout } =
      await host.read`systemctl show -p Id,LoadState,ActiveState,UnitFileState,FragmentPath,NeedDaemonReload,NextElapseUSecRealtime -- ${units}`
    return stdout.split('\n\n').flatMap((text) => (text.trim() === '' ? [] : [unitIn(text)]))
  }

  /** @throws TaskError for a unit that somebody else has put there */
  async function look(names: readonly string[]): Promise<{ path: string; unit: Unit; text?: string }[]> {
    const units = await show(names)
    return Promise.all(
      units.map(async (unit) => {
        const path = `${folder}/${unit.Id}`
        const text = await host.readFile(path)
        const isOurs = text === undefined ? ['', path].includes(unit.FragmentPath) : text.startsWith(mark)
        if (isOurs) return { path, unit, ...(text === undefined ? {} : { text }) }
        const there = text === undefined ? unit.FragmentPath : path
        throw new TaskError(
          `${there} on ${host.name} is not of hausmeister, or no longer: it is left alone`,
          {
            next: `if it may go: as root on ${host.name}: systemctl disable --now ${unit.Id}; rm ${there}`,
          },
        )
      }),
    )
  }

  return {
    name,
    async install(jobs) {
      const wanted = new Map(jobs.flatMap((job) => [...unitsOf(job)]))
      const found = await look([...wanted.keys()])
      for (const { path, unit } of found) await host.write(path, wanted.get(unit.Id) ?? '', { mode: 0o644 })
      // Also when an earlier run was cut off between the files and this.
      const isStale = found.some(
        ({ unit, text }) => text !== wanted.get(unit.Id) || unit.NeedDaemonReload === 'yes',
      )
      if (isStale) await host.change`systemctl daemon-reload`
      const asleep = timersOf(found).filter(
        ({ ActiveState, UnitFileState }) => ActiveState !== 'active' || UnitFileState !== 'enabled',
      )
      if (asleep.length > 0) await host.change`systemctl --quiet enable --now ${asleep.map(({ Id }) => Id)}`
    },
    async next(jobs) {
      const units = await show(jobs.flatMap((job) => [...unitsOf(job).keys()]))
      for (const { Id, LoadState } of units) {
        if (LoadState !== 'loaded') throw wouldNotRun(Id, `systemd says ${LoadState}`)
      }
      return timersOf(units.map((unit) => ({ unit }))).map(
        ({ Id, ActiveState, NextElapseUSecRealtime: next }) => {
          if (ActiveState !== 'active' || next === '') throw wouldNotRun(Id, `it is ${ActiveState}`)
          return next
        },
      )
    },
    async installed(names) {
      const timers = await show(names.map((one) => `${one}.timer`))
      return timers.filter(({ LoadState }) => LoadState !== 'not-found').map(({ Id }) => Id)
    },
    async running(names) {
      const units = await show(names.map((one) => `${one}.service`))
      const atWork = units.filter(({ ActiveState }) => ['activating', 'active'].includes(ActiveState))
      return atWork.map(({ Id }) => Id)
    },
    async remove(names) {
      const found = await look(names.flatMap((one) => [`${one}.timer`, `${one}.service`]))
      const there = found.filter(({ text }) => text !== undefined)
      const timers = timersOf(there).map(({ Id }) => Id)
      if (timers.length > 0) {
        await host.change`systemctl --quiet disable --now ${timers}`
        // With the time of its last run, one that is installed again would run at once.
        await host.change`systemctl clean --what=state ${timers}`
      }
      const files = there.map(({ path }) => path)
      if (files.length > 0) {
        await host.change`rm -f -- ${files}`
        await host.change`systemctl daemon-reload`
      }
      const failed = found.flatMap(({ unit }) => (unit.ActiveState === 'failed' ? [unit.Id] : []))
      if (failed.length > 0) await host.change`systemctl reset-failed ${failed}`
      for (const { path } of found.filter(({ text }) => text === undefined)) {
        run.onChange({ state: 'unchanged', host: host.name, user: host.user, command: `remove ${path}` })
      }
    },
  }

  function wouldNotRun(unit: string, why: string): TaskError {
    return new TaskError(`${unit} on ${host.name} would not run: ${why}`, {
      next: `as root on ${host.name}: systemctl status ${unit}`,
    })
  }
}

function timersOf(found: readonly { unit: Unit }[]): Unit[] {
  return found.flatMap(({ unit }) => (unit.Id.endsWith('.timer') ? [unit] : []))
}

/** The files of a job, by the names of its units. */
export function unitsOf({ name, description, at, command, directory, user }: Job): Map<string, string> {
  const timer = [
    mark,
    '[Unit]',
    `Description=${escaped(description)}`,
    '',
    '[Timer]',
    `OnCalendar=${calendarOf(at)}`,
    '# What was due while the machine was off is made up for when it is on again.',
    'Persistent=true',
    '',
    '[Install]',
    'WantedBy=timers.target',
    '',
  ]
  const service = [
    mark,
    '[Unit]',
    `Description=${escaped(description)}`,
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=oneshot',
    `User=${user}`,
    `WorkingDirectory=${escaped(directory)}`,
    `ExecStart=${command.map((word) => wordOf(word)).join(' ')}`,
    '',
  ]
  return new Map([
    [`${name}.timer`, timer.join('\n')],
    [`${name}.service`, service.join('\n')],
  ])
}

/** systemd.unit(5): % begins a specifier everywhere. */
function escaped(text: string): string {
  return text.replaceAll('%', '%%')
}

/** systemd.service(5), "Command lines": quotes as in C, and $ begins a variable. */
function wordOf(word: string): string {
  const plain = escaped(word).replaceAll('$', '$$$$')
  if (/^[A-Za-z0-9_/.,:@%$+=-]+$/.test(plain)) return plain
  return `"${plain.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`
}

function unitIn(text: string): Unit {
  const unit: Unit = {
    Id: '',
    LoadState: '',
    ActiveState: '',
    UnitFileState: '',
    FragmentPath: '',
    NeedDaemonReload: '',
    NextElapseUSecRealtime: '',
  }
  for (const line of text.split('\n')) {
    const [key = '', ...rest] = line.split('=')
    if (isKey(unit, key)) unit[key] = rest.join('=').trim()
  }
  return unit
}

function isKey(unit: Unit, key: string): key is keyof Unit {
  return Object.hasOwn(unit, key)
}
