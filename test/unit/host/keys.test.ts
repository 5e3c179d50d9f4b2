import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import ssh2 from 'ssh2'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { type Credentials, credentials } from '../../../lib/host/keys.ts'

const phrase = randomBytes(12).toString('hex')
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hausmeister-keys-'))
  const plain = ssh2.utils.generateKeyPairSync('ed25519')
  const locked = ssh2.utils.generateKeyPairSync('ed25519', {
    passphrase: phrase,
    cipher: 'aes256-ctr',
    rounds: 4,
  })
  await writeFile(join(folder, 'plain'), plain.private)
  await writeFile(join(folder, 'plain.pub'), plain.public)
  await writeFile(join(folder, 'locked'), locked.private)
  await writeFile(join(folder, 'garbage'), 'this is a shopping list\n')
})
afterAll(() => rm(folder, { recursive: true }))

async function offered(names: string[], passphrase?: string, agent?: string): Promise<Credentials> {
  const settings = {
    host: 'pg-1',
    address: '192.0.2.1',
    port: 22,
    user: 'ops',
    keys: names.map((name) => join(folder, name)),
    agent,
    jump: undefined,
    knownHosts: [],
  }
  return credentials(settings, async () => passphrase)
}

/** Without the folder, which is another one each time. */
function told({ methods, tried }: Credentials): { offers: string[]; tried: string[] } {
  return {
    offers: methods.map(({ type }) => type),
    tried: tried.map((text) => text.replace(`${folder}/`, '')),
  }
}

test('a key without a passphrase: nobody is asked for one', async () => {
  const settings = { keys: [join(folder, 'plain')], agent: undefined, user: 'ops' }
  const rest = { host: 'pg-1', address: '192.0.2.1', port: 22, jump: undefined, knownHosts: [] }
  const asked: string[] = []
  const found = await credentials({ ...rest, ...settings }, async (file) => {
    asked.push(file)
    return phrase
  })
  expect(told(found)).toEqual({ offers: ['publickey'], tried: ['key plain'] })
  expect(asked).toEqual([])
  expect(found.methods[0]).toMatchObject({ username: 'ops' })
})

test('an encrypted key with the right passphrase', async () => {
  expect(told(await offered(['locked'], phrase))).toEqual({ offers: ['publickey'], tried: ['key locked'] })
})

test('an encrypted key with a wrong passphrase: the next key is tried', async () => {
  expect(told(await offered(['locked', 'plain'], `${phrase}x`))).toEqual({
    offers: ['publickey'],
    tried: ['key locked: the passphrase is wrong', 'key plain'],
  })
})

test('an encrypted key, and nobody knows its passphrase', async () => {
  expect(told(await offered(['locked']))).toEqual({
    offers: [],
    tried: ['key locked is encrypted, and there is no passphrase for it'],
  })
})

test('a file that is no key', async () => {
  expect(told(await offered(['garbage']))).toEqual({
    offers: [],
    tried: ['key garbage: Unsupported key format'],
  })
})

test('the public half by mistake', async () => {
  expect(told(await offered(['plain.pub']))).toEqual({
    offers: [],
    tried: ['key plain.pub: is a public key; the private one is needed'],
  })
})

test('a missing file is told of only when there is nothing else to offer', async () => {
  expect(told(await offered(['missing']))).toEqual({
    offers: [],
    tried: ['key missing cannot be read (ENOENT)'],
  })
  expect(told(await offered(['missing', 'plain']))).toEqual({ offers: ['publickey'], tried: ['key plain'] })
})

test('the agent is asked last', async () => {
  expect(told(await offered(['plain'], undefined, '/run/agent.sock'))).toEqual({
    offers: ['publickey', 'agent'],
    tried: ['key plain', 'agent /run/agent.sock'],
  })
})
