import { array, assert, nat, property, string } from 'fast-check'
import { expect, test } from 'vitest'

import { Hosts } from '../../../lib/host/hosts.ts'
import { cronLine, crontab, withLines } from '../../../lib/schedule/crontab.ts'
import { calendarOf, cronTimeOf, type Job } from '../../../lib/schedule/job.ts'
import { type Call, estateOf, failure, RecordedRun, ScriptedMachine } from '../doubles.ts'

const job: Job = {
  name: 'hausmeister-shop-backup-now',
  description: '',
  at: '02:30',
  command: ['/usr/bin/node', 'tasks/backup-now.ts', '100%'],
  directory: "/opt/anna's house",
  user: 'backup',
}
const others = 'MAILTO=root\n0 1 * * * echo a\\%b # mine\n'

async function open(before: string | undefined, complaint = 'no crontab for backup') {
  const machine = { text: before, acts: 0 }
  const run = new RecordedRun()
  const script = async ({ script: line, user, say, complain, input }: Call): Promise<number> => {
    expect(user).toBe('backup')
    if (line.endsWith('crontab -')) {
      machine.text = await input()
      machine.acts += 1
      return 0
    }
    if (machine.text === undefined) {
      complain(complaint)
      return 1
    }
    say(machine.text)
    return 0
  }
  const hosts = new Hosts(await estateOf({ hosts: { ops: {} } }), run, async (name) => {
    return new ScriptedMachine(name, script)
  })
  return { machine, run, scheduler: crontab(await hosts.get('ops'), 'backup', run) }
}

test.each([
  ['02:30', '*-*-* 02:30:00', '30 2 * * *'],
  ['Sun 04:00', 'Sun *-*-* 04:00:00', '0 4 * * 0'],
  ['Sat 23:59', 'Sat *-*-* 23:59:00', '59 23 * * 6'],
])('%s is %s and %s', (at, calendar, cron) => {
  expect([calendarOf(at), cronTimeOf(at)]).toEqual([calendar, cron])
})

test('a line says where, what and whose it is; % would end it', () => {
  expect(cronLine(job)).toBe(
    String.raw`30 2 * * * cd '/opt/anna'\''s house' && /usr/bin/node tasks/backup-now.ts 100\% # hausmeister-shop-backup-now`,
  )
})

test('it is installed beside the lines of others, and taken away again; a second time is nothing', async () => {
  const { machine, run, scheduler } = await open(others)
  await scheduler.install([job])
  expect(machine.text).toBe(`${others}${cronLine(job)}\n`)
  expect(await scheduler.next([job])).toEqual(['every day at 02:30'])
  await scheduler.install([job])
  await scheduler.remove([job.name])
  await scheduler.remove([job.name])
  expect(machine).toEqual({ text: others, acts: 2 })
  expect(run.changes.map(({ state }) => state)).toEqual(['done', 'unchanged', 'done', 'unchanged'])
  // Lines of others may hold secrets.
  expect(JSON.stringify(run.changes)).not.toContain('mine')
})

test('there may be none yet; one that cannot be read is not taken for none', async () => {
  const none = await open(undefined)
  await none.scheduler.install([job])
  expect(none.machine.text).toBe(`${cronLine(job)}\n`)
  const denied = await open(undefined, 'You (backup) are not allowed to use this program (crontab)')
  expect((await failure(denied.scheduler.install([job]))).message).toBe(
    'cannot read the crontab of backup on ops',
  )
  expect(denied.machine.acts).toBe(0)
})

test('whatever others have, it stays as it was', () => {
  const line = string().filter((text) => !/[\n\r]/.test(text) && !text.endsWith(` # ${job.name}`))
  assert(
    property(array(line, { minLength: 1 }), nat(), (lines, at) => {
      const text = lines.map((one) => `${one}\n`).join('')
      const old = [...lines]
      old.splice(at % (lines.length + 1), 0, `1 1 * * * old # ${job.name}`)
      const before = old.map((one) => `${one}\n`).join('')
      const after = withLines(before, [job.name], [cronLine(job)])
      expect(withLines(after, [job.name], [])).toBe(text)
      expect(after.split('\n').indexOf(cronLine(job))).toBe(at % (lines.length + 1))
    }),
  )
})
