import { expect, test } from 'vitest'

import { HostError } from '../../../../lib/host/errors.ts'
import { Access, Host } from '../../../../lib/host/host.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import { instanceOf } from '../../../../lib/postgres/instance.ts'
import { lookAtAll, lookAtReachable, lookAtServer } from '../../../../lib/postgres/setup/look.ts'
import { setupTarget } from '../../../../lib/postgres/setup/target.ts'
import { RecordedRun, ScriptedMachine } from '../../doubles.ts'
import { answerTo } from '../psql.ts'
import { shopEstate } from '../reset/shop.ts'

const answer = ['1024', '[]', '', '', '', 'C', ''].join('\n=== hausmeister ===\n')

async function estateWithout(...silent: string[]) {
  const estate = await shopEstate()
  const hosts = new Hosts(
    estate,
    new RecordedRun(),
    async (name) =>
      new ScriptedMachine(name, ({ say }) => {
        if (silent.includes(name)) throw new HostError(name, 'unreachable', 'no answer')
        say(answer)
        return 0
      }),
  )
  return { hosts, target: setupTarget(estate, 'main') }
}

test('machines that do not answer are named beside those that do', async () => {
  const { hosts, target } = await estateWithout('pg-1')
  const { machines, silent } = await lookAtReachable(hosts, target)
  expect(machines.map(({ name }) => name)).toEqual(['pg-2'])
  expect(silent).toEqual(['pg-1'])
})

test('where nobody answers, and where everybody has to, it is an error', async () => {
  const none = await estateWithout('pg-1', 'pg-2')
  await expect(lookAtReachable(none.hosts, none.target)).rejects.toThrow(/no answer/)
  const one = await estateWithout('pg-2')
  await expect(lookAtAll(one.hosts, one.target)).rejects.toThrow(/pg-2: no answer/)
})

/** A server whose pg_hba.conf was written at 20, and our settings at 10; seconds, as `stat` and PostgreSQL tell them. */
function serverThatRead(time: number) {
  const rowsOf = (question: string): unknown[] => (question.includes('load_time') ? [{ time }] : [])
  const machine = new ScriptedMachine('pg-1', async ({ script, input, say }) => {
    if (script.includes('psql')) say(answerTo(await input(), rowsOf) ?? '')
    else if (script.includes('pg_hba.conf')) say('20.5\nlocal all postgres peer\n')
    else if (script.includes('hausmeister.conf')) say("10.5\nport = '5432'\n")
    return 0
  })
  const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), 'root')
  const folder = '/etc/postgresql/17/main'
  const cluster = { version: 17, name: 'main', running: true, standby: false, started: true, start: 'auto' }
  return { machine, instance: instanceOf(host, { ...cluster, port: 5432, folder, data: '' }) }
}

test('a server is asked in one psql, whatever is to be known of it', async () => {
  const { machine, instance } = serverThatRead(30)
  const { access, settings } = await lookAtServer(instance)
  expect(machine.started.filter((one) => one.includes('psql'))).toHaveLength(1)
  expect(access.file).toEqual({ text: 'local all postgres peer\n', stale: false })
  expect(settings.file).toEqual({ text: "port = '5432'\n", stale: false })
})

test('a file that is newer than what the server has read is told', async () => {
  const { access, settings } = await lookAtServer(serverThatRead(15).instance)
  expect(access.file.stale).toBe(true)
  expect(settings.file.stale).toBe(false)
})
