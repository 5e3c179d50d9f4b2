import { spawnSync } from 'node:child_process'

import { describe, expect, test } from 'vitest'

import { leash } from '../../../lib/container/leash.ts'
import { asLoginUser } from '../../../lib/host/escalation.ts'
import { LocalMachine } from '../../../lib/host/local.ts'
import { shell } from '../../../lib/host/shell.ts'
import { RecordedRun } from '../doubles.ts'

const read = shell(
  {
    machine: new LocalMachine('here'),
    user: 'ops',
    escalation: async () => asLoginUser,
    run: new RecordedRun(),
  },
  'read',
)
const shells = ['sh', 'bash', 'dash'].filter((name) => spawnSync(name, ['-c', ':']).status === 0)

describe.each(shells)('a command on the leash, in %s', (name) => {
  test('runs as it would without: output, complaints, exit code, no input', async () => {
    const command = 'cat; echo "it works"; echo oops >&2; exit 7'
    const options = { keepInputOpen: true, nothrow: true }
    expect(await read(options)`${name} -c ${leash} leash ${command}`).toMatchObject({
      stdout: 'it works\n',
      stderr: 'oops\n',
      exitCode: 7,
    })
  })

  test('is given all of the input, or its beginning, and then its end', async () => {
    const options = { keepInputOpen: true }
    const all = read(options)`${name} -c ${leash} leash ${'read -r first; echo "<$first>"'} all`
    all.stdin.write('one line\n')
    expect((await all).stdout).toBe('<one line>\n')
    // It reads up to an end, which its own input does not have yet.
    const part = read(options)`${name} -c ${leash} leash ${'wc -c'} 150000`
    part.stdin.write('a'.repeat(200_000))
    expect((await part).stdout.trim()).toBe('150000')
  })

  test('ends with its input, and all that it has started too', async () => {
    const options = { keepInputOpen: true, nothrow: true }
    const promise = read(options)`${name} -c ${leash} leash ${'sleep 60 & echo $!; sleep 60'}`
    promise.stdout.once('data', () => promise.stdin.end())
    const { exitCode, stdout } = await promise
    expect(exitCode).toBe(143)
    const number = Number(stdout)
    await expect.poll(() => isAlive(number)).toBe(false)
  })
})

/** A zombie has ended too: it waits for a parent that may never ask. */
function isAlive(number: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(number)], { encoding: 'utf8' })
  return stdout.trim() !== '' && !stdout.startsWith('Z')
}
