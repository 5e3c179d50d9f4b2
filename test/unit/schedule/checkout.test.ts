import { expect, test } from 'vitest'

import { Hosts } from '../../../lib/host/hosts.ts'
import { findCheckout, tryTask } from '../../../lib/schedule/checkout.ts'
import { estateOf, failure, RecordedRun, ScriptedMachine } from '../doubles.ts'

interface Machine {
  facts?: string[]
  inventory?: string
  /** What the task ends with. */
  code?: number
}

async function open({ facts = [], inventory = '{"estate": "shop"}', code = 0 }: Machine = {}) {
  const run = new RecordedRun({ dryRun: true })
  const all = ['home=/home/backup', 'directory=/opt/house', ...facts]
  const machine = new ScriptedMachine('ops', ({ script, user, say, complain }) => {
    expect(user).toBe('backup')
    if (script.includes('getent')) say(`${all.join('\n')}\n`)
    else if (script.includes('inventory.json')) say(`there\n${inventory}`)
    else complain('error: no answer from the store')
    return script.includes('--dry-run') ? code : 0
  })
  const hosts = new Hosts(await estateOf({ hosts: { ops: {} } }), run, async () => machine)
  return { machine, host: await hosts.get('ops') }
}

const node = ['node=/usr/bin/node', 'version=v22.1.0']

test('what is there', async () => {
  const { host } = await open({ facts: node })
  expect(await findCheckout(host, 'backup', '~/house', ['backup-now'])).toMatchObject({
    node: '/usr/bin/node',
    directory: '/opt/house',
    user: 'backup',
    home: '/home/backup',
    inventory: { estate: 'shop' },
  })
})

test.each([
  [{ facts: ['node=', 'version='] }, ['there is no node']],
  [
    { facts: ['node=/usr/bin/node', 'version=v20.18.3', 'missing=tasks/backup-now.ts'] },
    [
      '/usr/bin/node is v20.18.3, and 20.19 is the oldest that will do',
      'there is no /opt/house/tasks/backup-now.ts, or backup cannot read it',
    ],
  ],
  [
    { facts: node, inventory: '{"estat": "shop"}' },
    [
      '/opt/house/inventory.json on ops:1:1 estate: "estate" is missing',
      '/opt/house/inventory.json on ops:1:2 estat: there is no "estat" here. Did you mean "estate"?',
    ],
  ],
])('all that is missing is named at once: %j', async (machine, problems) => {
  const { host } = await open(machine)
  const error = await failure(findCheckout(host, 'backup', '/opt/house', ['backup-now']))
  const [title, ...lines] = error.message.split('\n')
  expect(title).toBe('ops cannot run hausmeister as backup:')
  expect(lines).toEqual(problems.map((line) => `- ${line}`))
  expect(error).toMatchObject({ code: 2 })
})

test('a task is tried in a dry run, with the home folder of its user and little more', async () => {
  const { host, machine } = await open({ facts: node })
  const found = await findCheckout(host, 'backup', '/opt/house', [])
  await tryTask(host, found, 'backup-now')
  expect(machine.started.at(-1)).toMatch(
    /HOME=\/home\/backup PATH=\/usr\/bin:\/bin exec \/usr\/bin\/node lib\/start\/fast\.mjs tasks\/backup-now\.ts --dry-run --quiet$/,
  )
})

test('what it says is told', async () => {
  const { host } = await open({ facts: node, code: 3 })
  const found = await findCheckout(host, 'backup', '/opt/house', [])
  expect(await failure(tryTask(host, found, 'backup-now'))).toMatchObject({
    message: 'backup-now --dry-run on ops as backup ends with exit code 3',
    seen: 'error: no answer from the store',
  })
})
