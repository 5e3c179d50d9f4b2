import { expect, test } from 'vitest'

import { HostError } from '../../../../lib/host/errors.ts'
import { Hosts } from '../../../../lib/host/hosts.ts'
import { lookAtAll, lookAtReachable } from '../../../../lib/postgres/setup/look.ts'
import { setupTarget } from '../../../../lib/postgres/setup/target.ts'
import { RecordedRun, ScriptedMachine } from '../../doubles.ts'
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
