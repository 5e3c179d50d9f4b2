import { describe, expect, test } from 'vitest'

import { errorBehind, HostError } from '../../../lib/host/errors.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { EstateError } from '../../../lib/inventory/errors.ts'
import { type Call, estateOf, failure, RecordedRun, rejection, ScriptedMachine } from '../doubles.ts'

const secret = `s3-${Math.random().toString(36).slice(2)}`
const inventory = {
  networks: { lan: { cidr: '192.0.2.0/24' } },
  hosts: {
    'pg-1': { addresses: { lan: '192.0.2.1' }, ssh: { sudoPassword: 'env:SUDO_PASSWORD' } },
    'pg-2': { addresses: { lan: '192.0.2.2' } },
  },
}

/** sudo wants a password; the command says what it was given. */
async function withSudo({ script, input, complain, say, user, password }: Call): Promise<number> {
  if (script.includes('sudo -n')) {
    complain('sudo: a password is required\n')
    return 1
  }
  say(`${user} ${password ?? ''} ${await input()}`)
  return 0
}

interface Estate {
  secrets?: Record<string, string>
  answer?: string
}

async function hostsWith({ secrets = {}, answer }: Estate) {
  const run = new RecordedRun(answer === undefined ? {} : { answer })
  const opened: ScriptedMachine[] = []
  const hosts = new Hosts(await estateOf(inventory, secrets), run, async (name) => {
    const machine = new ScriptedMachine(name, withSudo, { loginUser: 'ops' })
    opened.push(machine)
    return machine
  })
  return { hosts, run, opened }
}

describe('machines', () => {
  test('are opened once, by whomever and however often they are asked for', async () => {
    const { hosts, opened } = await hostsWith({})
    const [one] = await Promise.all([hosts.get('pg-1'), hosts.get('pg-1'), hosts.get('pg-2')])
    expect(opened.map(({ host }) => host)).toEqual(['pg-1', 'pg-2'])
    expect(one).toMatchObject({ name: 'pg-1', user: 'ops' })
    await hosts.close()
    expect(opened.every(({ closed }) => closed)).toBe(true)
  })

  test('dial for those who speak to a server of their own; without one, this computer does', async () => {
    const { hosts, opened } = await hostsWith({})
    await expect(hosts.dial('pg-2', '192.0.2.9', 8006)).rejects.toThrow('pg-2: nobody is there')
    expect(opened.map(({ host, dialled }) => [host, dialled])).toEqual([['pg-2', ['192.0.2.9:8006']]])
    await expect(hosts.dial(undefined, '127.0.0.1', 1)).rejects.toThrow(
      'this computer: cannot open 127.0.0.1:1',
    )
  })

  test('that could not be opened are tried again', async () => {
    let down = true
    const hosts = new Hosts(await estateOf(inventory), new RecordedRun(), async (name) => {
      if (down) throw new HostError(name, 'unreachable', 'no answer')
      return new ScriptedMachine(name, () => 0)
    })
    await expect(hosts.get('pg-1')).rejects.toThrow('pg-1: no answer')
    down = false
    expect(await hosts.get('pg-1')).toMatchObject({ user: 'root' })
  })

  test('are reached without SSH where the inventory says local', async () => {
    const hosts = new Hosts(await estateOf({ hosts: { desk: { local: true } } }), new RecordedRun())
    const desk = await hosts.get('desk')
    expect(await desk.read`echo here`.text()).toBe('here\n')
    await hosts.close()
  })
})

describe('the sudo password', () => {
  test('comes from .env, and is told to the redactor before it travels', async () => {
    const { hosts, run } = await hostsWith({ secrets: { SUDO_PASSWORD: secret } })
    const postgres = (await hosts.get('pg-1')).as('postgres')
    expect(await postgres.read({ input: 'data' })`cat`.text()).toBe(`postgres ${secret} data`)
    expect(run.secrets).toEqual([secret])
    expect(run.asked).toEqual([])
  })

  test('is asked of the operator where the inventory names none, once a run', async () => {
    const { hosts, run } = await hostsWith({ answer: secret })
    const host = await hosts.get('pg-2')
    await Promise.all([host.as('postgres').read`:`, host.as('root').read`:`, host.as('postgres').read`:`])
    expect(run.asked).toEqual(['sudo password of ops on pg-2'])
    expect(run.secrets).toEqual([secret])
  })

  test('that is named and not set is a fault of the .env, not of the command', async () => {
    const { hosts } = await hostsWith({})
    const error = await rejection((await hosts.get('pg-1')).as('postgres').read`:`)
    expect(errorBehind(error, EstateError)?.message).toBe('the secret SUDO_PASSWORD is not set')
  })

  test('that nobody can be asked for: what to do', async () => {
    const { hosts } = await hostsWith({})
    const error = await rejection((await hosts.get('pg-2')).as('postgres').verify())
    expect(errorBehind(error, HostError)).toMatchObject({ failure: 'sudo' })
  })

  test('whose question is refused ends that command, and nothing else', async () => {
    const run = new RecordedRun()
    run.askSecret = () => Promise.reject(new Error('Ctrl-C at the question'))
    const hosts = new Hosts(
      await estateOf(inventory),
      run,
      async (name) => new ScriptedMachine(name, withSudo, { loginUser: 'ops' }),
    )
    const error = await failure((await hosts.get('pg-2')).as('postgres').read`:`)
    expect(error.cause).toMatchObject({ message: 'Ctrl-C at the question' })
  })
})

describe('verify', () => {
  test('is content when commands run', async () => {
    expect(await verify(0, '')).toBeUndefined()
  })

  test('no bash', async () => {
    expect(await failure(verify(127, 'env: bash: No such file'))).toMatchObject({
      failure: 'shell',
      message: 'pg-1: there is no bash',
      next: 'as root there: apt-get install bash',
    })
  })

  test('a shell that says something else', async () => {
    const said = 'welcome\nThis account is currently not available.\n'
    expect(await failure(verify(1, said))).toMatchObject({
      failure: 'shell',
      message: 'pg-1: bash does not run (exit code 1): This account is currently not available.',
    })
  })
})

async function verify(code: number, complaint: string): Promise<unknown> {
  const hosts = new Hosts(
    await estateOf(inventory),
    new RecordedRun(),
    async (name) =>
      new ScriptedMachine(name, ({ complain }) => {
        complain(complaint)
        return code
      }),
  )
  return (await hosts.get('pg-1')).verify()
}
