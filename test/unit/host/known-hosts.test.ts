import { createHmac, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  fingerprint,
  forgetKeys,
  keyType,
  knownName,
  KnownHosts,
  rememberKey,
} from '../../../lib/host/known-hosts.ts'

/** A public key in wire format; only the type at its beginning means something here. */
function newKey(type = 'ssh-ed25519'): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(type.length)
  return Buffer.concat([length, Buffer.from(type), randomBytes(36)])
}

function line(names: string, key: Buffer): string {
  return `${names} ${keyType(key)} ${key.toString('base64')}`
}

function hashed(name: string): string {
  const salt = randomBytes(20)
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
}

const key = newKey()
const other = newKey()
let folder = ''
let file = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-known-'))
  file = join(folder, 'known_hosts')
})
afterEach(() => rm(folder, { recursive: true }))

async function knownFrom(...lines: string[]): Promise<KnownHosts> {
  await writeFile(file, `${lines.join('\n')}\n`)
  return KnownHosts.read([file])
}

describe('a machine is known', () => {
  test.each([
    ['by its name', 'pg-1', 'pg-1'],
    ['by its address', '192.0.2.1', '192.0.2.1'],
    ['by one name of several', 'pg-1,192.0.2.1,pg-1.example', '192.0.2.1'],
    ['whatever the case', 'PG-1', 'pg-1'],
    ['by a wildcard', '*.example', 'pg-1.example'],
    ['by a question mark', '192.0.2.?', '192.0.2.7'],
    ['at its port', '[192.0.2.1]:2222', '[192.0.2.1]:2222'],
    ['at any port of a range of machines', '[192.0.2.*]:2222', '[192.0.2.9]:2222'],
    ['by an IPv6 address', '2001:db8::1', '2001:db8::1'],
  ])('%s', async (_, names, asked) => {
    const known = await knownFrom(line(names, key))
    expect(known.check([asked], key)).toEqual({ known: 'yes' })
  })

  test.each(['pg-1', '[192.0.2.1]:2222', '2001:db8::1'])('hashed: %s', async (name) => {
    const known = await knownFrom(line(hashed('somebody'), other), line(hashed(name), key))
    expect(known.check([name], key)).toEqual({ known: 'yes' })
    expect(known.check([name.toUpperCase()], key)).toEqual({ known: 'yes' })
    expect(known.check(['pg-2'], key)).toEqual({ known: 'no' })
  })

  test('with a comment behind its key, among comments, blank lines, and line ends of Windows', async () => {
    const known = await knownFrom('# pg', '\r', `  ${line('pg-1', key)} root@pg-1\r`, '#pg-2 x y\r')
    expect(known.check(['pg-1'], key)).toEqual({ known: 'yes' })
  })

  test('by any of its keys', async () => {
    const rsa = newKey('ssh-rsa')
    const known = await knownFrom(line('pg-1', key), line('pg-1', rsa))
    expect(known.check(['pg-1'], rsa)).toEqual({ known: 'yes' })
    expect(known.types(['pg-1'])).toEqual(['ssh-ed25519', 'ssh-rsa'])
  })

  test('from any of the files; a missing one knows nobody', async () => {
    await writeFile(file, line('pg-1', key))
    const known = await KnownHosts.read([join(folder, 'missing'), file])
    expect(known.check(['pg-1'], key)).toEqual({ known: 'yes' })
  })
})

describe('a machine is unknown', () => {
  test.each([
    ['when only another port is known', '[pg-1]:2222', 'pg-1'],
    ['when only the usual port is known', 'pg-1', '[pg-1]:2222'],
    ['when a name only begins like it', 'pg-1.example', 'pg-1'],
    ['where a dot is a dot', '192.0.2.1', '192a0b2c1'],
    ['when it is left out of a wildcard', '*.example,!pg-1.example', 'pg-1.example'],
    ['when it is left out before a wildcard', '!pg-?.example,*.example', 'pg-1.example'],
  ])('%s', async (_, names, asked) => {
    const known = await knownFrom(line(names, key))
    expect(known.check([asked], key)).toEqual({ known: 'no' })
    expect(known.types([asked])).toEqual([])
  })

  test('when only an authority that signs host keys is on file: its key is no host key', async () => {
    const known = await knownFrom(`@cert-authority ${line('*', key)}`)
    expect(known.check(['pg-1'], key)).toEqual({ known: 'no' })
    expect(known.types(['pg-1'])).toEqual([])
  })

  test('when its line is cut off', async () => {
    const known = await knownFrom('pg-1 ssh-ed25519', 'pg-1')
    expect(known.check(['pg-1'], key)).toEqual({ known: 'no' })
  })
})

describe('a key is refused', () => {
  test('that has changed: file and line of the one on file', async () => {
    const known = await knownFrom('# pg', line('pg-1', other))
    expect(known.check(['pg-1'], key)).toEqual({ known: 'changed', file, line: 2 })
  })

  test('that has changed: the line of its own type', async () => {
    const known = await knownFrom(line('pg-1', newKey('ssh-rsa')), line('pg-1', other))
    expect(known.check(['pg-1'], key)).toEqual({ known: 'changed', file, line: 2 })
  })

  test('whose machine has only keys of another type on file', async () => {
    const known = await knownFrom(line('pg-1', newKey('ssh-rsa')))
    expect(known.check(['pg-1'], key)).toEqual({ known: 'changed', file, line: 1 })
  })

  test('that is revoked, though it is on file too', async () => {
    const known = await knownFrom(line('pg-1', key), `@revoked ${line('*', key)}`)
    expect(known.check(['pg-1'], key)).toEqual({ known: 'revoked', file, line: 2 })
  })

  test('but not for the revocation of another one', async () => {
    const known = await knownFrom(line('pg-1', key), `@revoked ${line('*', other)}`)
    expect(known.check(['pg-1'], key)).toEqual({ known: 'yes' })
  })
})

describe('rememberKey', () => {
  test('makes folder and file, which nobody else can read', async () => {
    const path = join(folder, '.ssh', 'known_hosts')
    await rememberKey(path, ['pg-1'], key)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, '.ssh'))).mode & 0o777).toBe(0o700)
    expect((await KnownHosts.read([path])).check(['pg-1'], key)).toEqual({ known: 'yes' })
  })

  test('begins a new line where the last one has no end', async () => {
    await writeFile(file, line('pg-1', other))
    await rememberKey(file, ['pg-2', '[pg-2]:2222'], key)
    const known = await KnownHosts.read([file])
    expect(known.check(['pg-1'], other)).toEqual({ known: 'yes' })
    expect(known.check(['[pg-2]:2222'], key)).toEqual({ known: 'yes' })
    expect(await readFile(file, 'utf8')).toBe(`${line('pg-1', other)}\n${line('pg-2,[pg-2]:2222', key)}\n`)
  })
})

describe('forgetKeys', () => {
  test('takes out the lines of a machine, hashed ones too, and keeps the rest as it was', async () => {
    const stays = ['# ours', line('pg-2', other), line(hashed('pg-3'), other), '']
    await writeFile(file, [line('pg-1', key), ...stays, line(hashed('pg-1'), other)].join('\n'))
    const before = await readFile(file, 'utf8')
    await forgetKeys(file, ['pg-1'])
    expect(await readFile(file, 'utf8')).toBe(stays.join('\n'))
    expect(await readFile(`${file}.old`, 'utf8')).toBe(before)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await readdir(folder)).toSorted()).toEqual(['known_hosts', 'known_hosts.old'])
  })

  test('never forgets that a key is revoked', async () => {
    const marked = [`@revoked ${line('pg-1', other)}`, `@cert-authority ${line('pg-1', other)}`]
    await writeFile(file, [...marked, line('pg-1', key), ''].join('\n'))
    await forgetKeys(file, ['pg-1'])
    expect(await readFile(file, 'utf8')).toBe([...marked, ''].join('\n'))
  })

  test('writes nothing when there is nothing to forget', async () => {
    await writeFile(file, line('pg-2', key))
    await forgetKeys(file, ['pg-1'])
    expect(await readdir(folder)).toEqual(['known_hosts'])
    await forgetKeys(join(folder, 'missing'), ['pg-1'])
    expect(await readdir(folder)).toEqual(['known_hosts'])
  })

  test('then the new key can be remembered', async () => {
    await writeFile(file, line('pg-1', other))
    await forgetKeys(file, ['pg-1'])
    await rememberKey(file, ['pg-1'], key)
    expect((await KnownHosts.read([file])).check(['pg-1'], key)).toEqual({ known: 'yes' })
  })
})

test('names as they stand in the file', () => {
  expect(knownName('192.0.2.1', 22)).toBe('192.0.2.1')
  expect(knownName('192.0.2.1', 2222)).toBe('[192.0.2.1]:2222')
})

test('the fingerprint as ssh-keygen prints it', () => {
  // Of nothing at all: the SHA-256 that everybody knows.
  expect(fingerprint(Buffer.alloc(0))).toBe('SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU')
  expect(keyType(newKey('ecdsa-sha2-nistp256'))).toBe('ecdsa-sha2-nistp256')
})
