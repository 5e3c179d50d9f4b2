import { HostError } from './errors.ts'
import type { Machine } from './machine.ts'
import { MachineProcess } from './process.ts'
import { quote } from './quote.ts'

/** How a command becomes another user's: words before it, and a line on its stdin ahead of its own input. */
export interface Escalation {
  prefix: string
  password: string | undefined
}

export const asLoginUser: Escalation = { prefix: '', password: undefined }

/** Said by sudo, and by sudo-rs, which Ubuntu has since 25.10. */
const wantsPassword = /password is required|authentication is required/

/**
 * Finds out once per machine and user how to run commands as `user`.
 *
 * sudo is asked first whether it wants a password at all: with NOPASSWD it would leave the password
 * line on stdin, where the command would read it as data. When it wants one, `-k` makes it want
 * one every time, so that the line is always eaten.
 *
 * @param sudoPassword from the inventory or the operator; undefined when there is nobody to ask
 */
export async function findEscalation(
  machine: Machine,
  user: string,
  sudoPassword: () => Promise<string | undefined>,
): Promise<Escalation> {
  if (user === machine.loginUser) return asLoginUser
  if (machine.loginUser === 'root') return { prefix: `runuser -u ${quote(user)} --`, password: undefined }
  const target = `-H -u ${quote(user)} --`
  const free = await run(machine, `env LC_ALL=C sudo -n -k ${target} bash -c :`)
  if (free.code === 0) return { prefix: `sudo -n ${target}`, password: undefined }
  if (!wantsPassword.test(free.stderr)) throw sudoError(machine, user, free.stderr, free.code)
  const password = await sudoPassword()
  if (password === undefined) {
    throw new HostError(
      machine.host,
      'sudo',
      `sudo wants a password for ${machine.loginUser}, and there is none`,
      `set hosts.${machine.host}.ssh.sudoPassword to "env:NAME" and NAME in .env, or run it on a terminal to be asked`,
    )
  }
  const escalation = { prefix: `sudo -k -S -p '' ${target}`, password }
  const checked = await run(machine, `env LC_ALL=C sudo -k -S -p '' ${target} bash -c :`, `${password}\n`)
  if (checked.code !== 0) throw sudoError(machine, user, checked.stderr, checked.code)
  return escalation
}

function sudoError(machine: Machine, user: string, stderr: string, code: number | null): HostError {
  const { host, loginUser } = machine
  const lines = stderr.trim().split('\n')
  const said = lines.findLast((line) => !/incident has been reported/.test(line)) ?? ''
  if (/try again|incorrect (password|authentication)|no password was provided/i.test(stderr)) {
    return new HostError(
      host,
      'sudo',
      `sudo did not accept the password of ${loginUser}`,
      `check it by hand: ssh ${loginUser}@<${host}> sudo -k true`,
    )
  }
  if (/sudo: \W*bash\b.*(not found|no such file)/i.test(stderr)) {
    return new HostError(host, 'shell', 'there is no bash', 'as root there: apt-get install bash')
  }
  if (/not found|No such file/i.test(stderr)) {
    return new HostError(
      host,
      'sudo',
      `there is no sudo for ${loginUser} to become ${user}`,
      'apt-get install sudo',
    )
  }
  return new HostError(
    host,
    'sudo',
    `${loginUser} may not become ${user} by sudo (exit code ${code}): ${said}`,
    `as root there: adduser ${loginUser} sudo`,
  )
}

async function run(
  machine: Machine,
  line: string,
  input = '',
): Promise<{ code: number | null; stderr: string }> {
  const child = new MachineProcess(machine.host, () => machine.start(line, asLoginUser))
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.resume()
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stderr }))
  })
}
