import { describe, expect, test } from 'vitest'

import { HostError } from '../../../lib/host/errors.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { Cancellation } from '../../../lib/task/cancellation.ts'
import type { TaskEventBody } from '../../../lib/task/events.ts'
import { exitCode } from '../../../lib/task/exit-code.ts'
import { preflight } from '../../../lib/task/preflight.ts'
import { Session } from '../../../lib/task/session.ts'
import { task } from '../../../tasks/pg-reset.ts'
import { type Call, failure, RecordedRun, ScriptedMachine } from '../doubles.ts'
import { shopEstate } from '../postgres/reset/shop.ts'

/** sudo wants a password everywhere. */
function withSudo({ script, complain }: Call): number {
  if (!script.includes('sudo -n')) return 0
  complain('sudo: a password is required\n')
  return 1
}

interface Situation {
  inventory?: Record<string, unknown>
  secrets?: Record<string, string>
  silent?: string[]
  flags?: Partial<Parameters<typeof task.preflight>[0]['flags']>
}

/** Looks at everything that pg-reset looks at before its first question. */
async function look({ inventory, secrets = {}, silent = [], flags = {} }: Situation): Promise<string[]> {
  const estate = await shopEstate(inventory, secrets)
  const run = new RecordedRun()
  const hosts = new Hosts(estate, run, async (name) => {
    if (silent.includes(name)) throw new HostError(name, 'unreachable', 'no answer', `is ${name} up?`)
    return new ScriptedMachine(name, withSudo, { loginUser: 'ops' })
  })
  const events: TaskEventBody[] = []
  const given = { ...task.flags.parse({ database: 'shop' }), ...flags }
  const session = new Session({
    estate,
    flags: given,
    hosts,
    run,
    holder: { who: 'anna@desk', task: 'pg-reset', since: '' },
    inventory: undefined,
    yes: true,
    emit: (event) => void events.push(event),
    ask: undefined,
    cancellation: new Cancellation(),
  })
  await preflight(session, task.preflight({ estate, flags: given }))
  return events.flatMap((event) => (event.event === 'note' ? [event.text] : []))
}

const inventory = {
  'hosts/pg-1/ssh': { sudoPassword: 'env:PG_1_SUDO' },
  'hosts/pg-2/ssh': { sudoPassword: 'env:PG_2_SUDO' },
}
const secrets = { SHOP_PASSWORD: 'x'.repeat(8), PG_1_SUDO: 'y'.repeat(8), PG_2_SUDO: 'z'.repeat(8) }

function without(name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).filter(([key]) => key !== name))
}

describe('before the first question', () => {
  test('nothing to say when all is there', async () => {
    expect(await look({ inventory, secrets })).toEqual([])
  })

  test('every secret that is missing is told in one message, those for sudo too', async () => {
    const error = await failure(look({ inventory }))
    expect(error).toMatchObject({ code: exitCode.usage })
    for (const name of ['SHOP_PASSWORD', 'PG_1_SUDO', 'PG_2_SUDO']) expect(error.message).toContain(name)
    expect(error.message).toMatch(/^3 problems:/)
  })

  test('a secret of one machine is missing, though the other one answers', async () => {
    const error = await failure(look({ inventory, secrets: without('PG_2_SUDO') }))
    expect(error.message).toContain('the secret PG_2_SUDO is not set')
  })

  test('what is wrong with flags, secrets and machines is told together', async () => {
    const error = await failure(
      look({
        inventory,
        silent: ['vm-app'],
        flags: { confirm: 'blog' },
        secrets: without('SHOP_PASSWORD'),
      }),
    )
    expect(error).toMatchObject({ code: exitCode.usage })
    expect(error.message).toContain('--confirm blog does not name the database shop')
    expect(error.message).toContain('SHOP_PASSWORD')
    expect(error.message).toContain('vm-app: no answer\n  next: is vm-app up?')
  })

  test('one machine of a cluster is enough', async () => {
    expect(await look({ inventory, secrets, silent: ['pg-2'] })).toEqual(['no answer: pg-2: no answer'])
    expect(await failure(look({ inventory, secrets, silent: ['pg-1', 'pg-2'] }))).toMatchObject({
      code: exitCode.unreachable,
      message: expect.stringContaining('pg-1: no answer'),
    })
  })
})
