import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, describe, expect, test, vi } from 'vitest'

import { HostError } from '../../../lib/host/errors.ts'
import { findEscalation } from '../../../lib/host/escalation.ts'
import { Access } from '../../../lib/host/host.ts'
import { LocalMachine } from '../../../lib/host/local.ts'
import { type Call, failure, ScriptedMachine } from '../doubles.ts'

const password = `s3-${Math.random().toString(36).slice(2)}`

interface Sudo {
  /** What it says to `sudo -n` when it wants a password; undefined: it wants none. */
  wants?: string
  /** What it says when the password was right, and the command does not run. */
  refuses?: string
  /** What it says to a wrong password. */
  wrong?: string
}

const sudo19 = {
  wants: 'sudo: a password is required\n',
  wrong: 'Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n',
}
const sudoRs = {
  wants: 'sudo: interactive authentication is required\n',
  wrong: 'sudo: Authentication failed, try again.\nsudo: 1 incorrect authentication attempt\n',
}

function machineWith({ wants, refuses, wrong = '' }: Sudo, seen: string[] = []): ScriptedMachine {
  async function script({ script: line, input, complain }: Call): Promise<number> {
    seen.push(line)
    if (wants !== undefined) {
      if (!line.includes(' -S ')) {
        complain(wants)
        return 1
      }
      if ((await input()) !== `${password}\n`) {
        complain(wrong)
        return 1
      }
    }
    if (refuses === undefined) return 0
    complain(refuses)
    return 1
  }
  return new ScriptedMachine('pg-1', script, { loginUser: 'ops' })
}

function nobodyKnows(): Promise<undefined> {
  return Promise.resolve(undefined)
}

const known = async (): Promise<string> => password

async function never(): Promise<string> {
  throw new Error('asked for a password that is not needed')
}

describe('no sudo is needed', () => {
  const machine = new ScriptedMachine('pg-1', () => 0, { loginUser: 'root' })

  test('to stay who one is', async () => {
    expect(await findEscalation(machine, 'root', never)).toEqual({ prefix: '', password: undefined })
  })

  test('for root', async () => {
    expect(await findEscalation(machine, 'postgres', never)).toEqual({
      prefix: 'runuser -u postgres --',
      password: undefined,
    })
    expect(machine.started).toEqual([])
  })
})

describe('sudo', () => {
  test('without a password: none is asked for, and none is written ahead of the data', async () => {
    const seen: string[] = []
    expect(await findEscalation(machineWith({}, seen), 'postgres', never)).toEqual({
      prefix: 'sudo -n -H -u postgres --',
      password: undefined,
    })
    expect(seen).toEqual(['env LC_ALL=C sudo -n -k -H -u postgres -- bash -c :'])
  })

  test.each([
    ['sudo 1.9', sudo19],
    ['sudo-rs', sudoRs],
  ])('with a password, %s: tried once, then wanted every time', async (_, sudo) => {
    const seen: string[] = []
    expect(await findEscalation(machineWith(sudo, seen), 'postgres', known)).toEqual({
      prefix: "sudo -k -S -p '' -H -u postgres --",
      password,
    })
    expect(seen.join('\n')).not.toContain(password)
  })

  test.each([
    ['sudo 1.9', sudo19],
    ['sudo-rs', sudoRs],
  ])('with a wrong password, %s', async (_, sudo) => {
    const error = await failure(findEscalation(machineWith(sudo), 'postgres', async () => 'wrong'))
    expect(error).toMatchObject({
      failure: 'sudo',
      message: 'pg-1: sudo did not accept the password of ops',
      next: 'check it by hand: ssh ops@<pg-1> sudo -k true',
    })
  })

  test('with a password that nobody knows', async () => {
    expect(await failure(findEscalation(machineWith(sudo19), 'postgres', nobodyKnows))).toMatchObject({
      failure: 'sudo',
      message: 'pg-1: sudo wants a password for ops, and there is none',
      next: expect.stringContaining('hosts.pg-1.ssh.sudoPassword'),
    })
  })

  test('that does not know the user who asks', async () => {
    const refuses = 'ops is not in the sudoers file.\nThis incident has been reported to the administrator.\n'
    expect(
      await failure(findEscalation(machineWith({ ...sudo19, refuses }), 'postgres', known)),
    ).toMatchObject({
      failure: 'sudo',
      message: 'pg-1: ops may not become postgres by sudo (exit code 1): ops is not in the sudoers file.',
      next: 'as root there: adduser ops sudo',
    })
  })

  test('that does not know the user who is asked for', async () => {
    const refuses = 'sudo: unknown user postgres\nsudo: error initializing audit plugin sudoers_audit\n'
    expect((await failure(findEscalation(machineWith({ refuses }), 'postgres', known))).message).toContain(
      'pg-1: ops may not become postgres by sudo (exit code 1)',
    )
  })

  test.each(['bash: line 1: sudo: command not found', 'env: ‘sudo’: No such file or directory'])(
    'that is not there: %s',
    async (refuses) => {
      expect(await failure(findEscalation(machineWith({ refuses }), 'postgres', known))).toMatchObject({
        failure: 'sudo',
        message: 'pg-1: there is no sudo for ops to become postgres',
        next: 'apt-get install sudo',
      })
    },
  )

  test('that finds no bash is there', async () => {
    const refuses = 'sudo: bash: command not found\n'
    expect(
      await failure(findEscalation(machineWith({ ...sudo19, refuses }), 'postgres', known)),
    ).toMatchObject({ failure: 'shell', message: 'pg-1: there is no bash' })
  })
})

describe('on this computer', () => {
  /** Whoever runs the tests. */
  class Ops extends LocalMachine {
    override readonly loginUser = 'ops'
  }

  const folders: string[] = []
  afterEach(async () => {
    vi.unstubAllEnvs()
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
  })

  async function installSudo(script: string): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'hausmeister-sudo-'))
    folders.push(folder)
    await writeFile(join(folder, 'sudo'), `#!/bin/sh\n${script}\n`)
    await chmod(join(folder, 'sudo'), 0o755)
    vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`)
  }

  test('sudo is found and speaks English', async () => {
    await installSudo('[ "$LC_ALL" = C ] && [ "$*" = "-n -k -H -u postgres -- bash -c :" ]')
    expect(await findEscalation(new Ops('desk'), 'postgres', never)).toMatchObject({
      prefix: 'sudo -n -H -u postgres --',
    })
  })

  test('the password goes in ahead of the input', async () => {
    await installSudo(
      'echo "sudo: a password is required" >&2; [ "$1" = -k ] && read -r line && echo "$line" >&2',
    )
    const machine = new Ops('desk')
    const escalation = await findEscalation(machine, 'postgres', known)
    const running = await machine.start('cat', escalation)
    running.stdin.end('data')
    expect(Buffer.concat(await running.stderr.toArray()).toString()).toContain(`${password}\n`)
    expect(await running.ended).toEqual({ code: 0, signal: null })
  })
})

describe('what was found out', () => {
  test('is kept: many commands at once ask once', async () => {
    let asked = 0
    const seen: string[] = []
    const access = new Access(machineWith(sudo19, seen), async () => {
      asked += 1
      return password
    })
    await Promise.all([1, 2, 3].map(() => access.escalation('postgres')))
    expect(asked).toBe(1)
    expect(seen.length).toBe(2)
    expect(await access.escalation('ops')).toEqual({ prefix: '', password: undefined })
  })

  test('is asked again when the connection broke meanwhile, and not when sudo said no', async () => {
    let broken = true
    const machine = new ScriptedMachine(
      'pg-1',
      () => {
        if (broken) throw new HostError('pg-1', 'lost', 'the connection was lost')
        return 0
      },
      { loginUser: 'ops' },
    )
    const access = new Access(machine, never)
    expect((await failure(access.escalation('postgres'))).message).toContain('lost')
    broken = false
    expect(await access.escalation('postgres')).toMatchObject({ prefix: 'sudo -n -H -u postgres --' })

    const refused = machineWith({ refuses: 'ops is not allowed to run sudo' })
    const other = new Access(refused, never)
    await failure(other.escalation('postgres'))
    await failure(other.escalation('postgres'))
    expect(refused.started.length).toBe(1)
  })
})
