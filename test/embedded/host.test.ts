import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { Readable } from 'node:stream'

import ssh2 from 'ssh2'
import { afterEach, describe, expect, test } from 'vitest'

import { generateKey } from '../../examples/demo/keys.ts'
import { startSshd } from '../../examples/demo/sshd.ts'
import { closeMachines, failureOf, open } from './machine.ts'

afterEach(closeMachines)

describe('getting in', () => {
  test('an unknown host key is refused, with its fingerprint and the command that accepts it', async () => {
    const { host } = await open({ known: () => [] })
    const error = await failureOf(host.read`true`)
    expect(error.failure).toBe('unknown-key')
    expect(error.message).toMatch(
      /unknown host key of \[127\.0\.0\.1\]:\d+: ssh-ed25519 SHA256:\S{43} is not in /,
    )
    expect(error.next).toMatch(/^npx tsx tasks\/network-trust\.ts --host machine\b/)
  })

  test('a changed host key is refused, and the file and line of the old one named', async () => {
    const other = generateKey('other').public.split(' ')
    const { host } = await open({
      known: (right) => ['# old', [right.split(' ')[0], ...other.slice(0, 2)].join(' ')],
    })
    const error = await failureOf(host.read`true`)
    expect(error.failure).toBe('changed-key')
    expect(error.message).toMatch(
      /has changed: it sent ssh-ed25519 SHA256:\S+, and \S+known_hosts line 2 has another/,
    )
  })

  test('a key that is not let in is named', async () => {
    const { host, keyFile } = await open({ authorizedKeys: [generateKey('other').public] })
    const error = await failureOf(host.read`true`)
    expect(error.failure).toBe('refused')
    expect(error.message).toContain(`key ${keyFile}`)
  })

  test('a closed port is told at once, and a later command tries again', async () => {
    const { host, sshd, keyFile } = await open()
    await sshd.close()
    const error = await failureOf(host.read`true`)
    expect(error.failure).toBe('unreachable')
    expect(error.message).toContain(`nothing listens on 127.0.0.1:${sshd.port} (connection refused)`)
    const again = await startSshd({
      authorizedKeys: [await publicKeyOf(keyFile)],
      port: sshd.port,
      hostKey: sshd.hostKey,
    })
    try {
      expect(await host.read`echo back`.text()).toBe('back\n')
    } finally {
      await again.close()
    }
  })

  test('no bash on the machine is told as that', async () => {
    const { host } = await open({ env: { PATH: '/nonexistent' } })
    expect(await failureOf(host.verify())).toMatchObject({ failure: 'shell' })
  })
})

describe('commands', () => {
  test('exit codes, output and errors come back as they are', async () => {
    const { host } = await open()
    const output = await host.read({ nothrow: true })`echo out; echo err >&2; exit 7`
    expect(output).toMatchObject({ exitCode: 7, signal: null, stdout: 'out\n', stderr: 'err\n' })
    await expect(host.read`exit 3`).rejects.toMatchObject({ exitCode: 3 })
    const killed = await host.read({ nothrow: true })`kill -KILL $$`
    expect(killed).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
  })

  test('a command that nobody feeds sees the end of its input', async () => {
    const { host } = await open()
    expect(await host.read`cat; echo done`.text()).toBe('done\n')
    expect(await host.read({ input: '' })`cat; echo done`.text()).toBe('done\n')
  })

  test('input may be text, bytes or a stream', async () => {
    const { host } = await open()
    const bytes = randomBytes(100_000)
    expect(await host.read({ input: 'täxt' })`cat`.text()).toBe('täxt')
    const sum = createHash('sha256').update(bytes).digest('hex')
    expect(await host.read({ input: bytes })`sha256sum`.text()).toBe(`${sum}  -\n`)
    expect(await host.read({ input: Readable.from(['one ', 'two']) })`cat`.text()).toBe('one two')
  })

  test('a command that reads only the beginning of its input ends as it likes', async () => {
    const { host } = await open()
    expect(await host.read({ input: Buffer.alloc(20_000_000, 'x\n') })`head -n 1`.text()).toBe('x\n')
  })

  test('100 MB there and back again are the same', async () => {
    const { host } = await open()
    const block = randomBytes(1_000_000)
    const sent = createHash('sha256')
    const received = createHash('sha256')
    const input = Readable.from(
      (function* () {
        for (let count = 0; count < 100; count += 1) {
          sent.update(block)
          yield block
        }
      })(),
    )
    const command = host.read({ input })`cat`
    let length = 0
    command.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length
      received.update(chunk)
    })
    await command
    expect(length).toBe(100_000_000)
    expect(received.digest('hex')).toBe(sent.digest('hex'))
  })

  test('large output and large errors at once are both whole', async () => {
    const { host } = await open()
    const output = await host.read`
      head -c 12000000 /dev/zero | tr '\\0' o & head -c 12000000 /dev/zero | tr '\\0' e >&2; wait`
    expect(output.stdout).toHaveLength(12_000_000)
    expect(output.stderr).toHaveLength(12_000_000)
    expect(output.stdout.replaceAll('o', '')).toBe('')
    expect(output.stderr.replaceAll('e', '')).toBe('')
  })

  test('one command is piped into another one', async () => {
    const { host } = await open()
    const sorted = await host.read`printf '%s\\n' c a b`.pipe(host.read`sort`)
    expect(sorted.stdout).toBe('a\nb\nc\n')
  })

  test('30 at once share one connection', async () => {
    const { host, sshd } = await open()
    const numbers = Array.from({ length: 30 }, (_, index) => String(index))
    const answers = await Promise.all(numbers.map((number) => host.read`sleep 0.05; echo ${number}`.text()))
    expect(answers).toEqual(numbers.map((number) => `${number}\n`))
    expect(sshd.connections.ever).toBe(1)
  })

  test('a dry run asks and does not act', async () => {
    const { host, changes } = await open({ dryRun: true })
    expect(await host.read`echo asked`.text()).toBe('asked\n')
    const output = await host.change({ input: 'all of it' })`cat > acted`
    expect(output.exitCode).toBe(0)
    expect(changes).toEqual([
      { state: 'would', host: 'machine', user: host.user, command: 'cat > acted', input: 'all of it' },
    ])
    expect(await host.readFile('acted')).toBeUndefined()
  })
})

describe('forwarding', () => {
  test('carries bytes both ways', async () => {
    const { host } = await open()
    const echo = createServer((socket) => socket.pipe(socket))
    const port = await listening(echo)
    const stream = await host.dial('127.0.0.1', port)
    stream.write('hello')
    const [answer] = await stream.take(1).toArray()
    expect(String(answer)).toBe('hello')
    stream.destroy()
    await new Promise((resolve) => echo.close(resolve))
  })

  test('to a closed port, and where it is not allowed, says which', async () => {
    const { host } = await open()
    const probe = createServer()
    const port = await listening(probe)
    await new Promise((resolve) => probe.close(resolve))
    const closed = await failureOf(host.dial('127.0.0.1', port))
    expect(closed.failure).toBe('forward')
    expect(closed.message).toContain(`cannot open 127.0.0.1:${port} from there`)
    expect(closed.next).toBeUndefined()
    const strict = await open({ forwarding: false })
    const refused = await failureOf(strict.host.dial('127.0.0.1', port))
    expect(refused.failure).toBe('forward')
    expect(refused.next).toContain('AllowTcpForwarding')
  })
})

async function publicKeyOf(file: string): Promise<string> {
  const parsed = ssh2.utils.parseKey(await readFile(file))
  if (parsed instanceof Error) throw parsed
  return `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  return typeof bound === 'object' && bound ? bound.port : 0
}
