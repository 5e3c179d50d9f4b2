import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { readSecrets, SecretRef, secretName, secretRefs } from '../../../lib/inventory/secrets.ts'

const posix = process.platform !== 'win32'
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "it's secrets-"))
})
afterEach(() => rm(folder, { recursive: true }))

async function envFile(text: string | Uint8Array, mode = 0o600): Promise<string> {
  const file = join(folder, '.env')
  await writeFile(file, text)
  await chmod(file, mode)
  return file
}

describe('.env', () => {
  test('is read with quotes and comments, and the environment wins', async () => {
    const file = await envFile('# first\nONE=1\nTWO="two # 2"\nTHREE=3\n')
    const { value } = await readSecrets(file, { THREE: 'three' })
    expect(['ONE', 'TWO', 'THREE', 'FOUR'].map(value)).toEqual(['1', 'two # 2', 'three', undefined])
  })

  test('does not reach process.env', async () => {
    const before = { ...process.env }
    await readSecrets(await envFile('HAUSMEISTER_TEST_ONLY=1\n'), process.env)
    expect({ ...process.env }).toEqual(before)
  })

  test('an empty value is no value, in the file and in the environment', async () => {
    const { value } = await readSecrets(await envFile('ONE=\nTWO=2\n'), { TWO: '' })
    expect(value('ONE')).toBeUndefined()
    expect(value('TWO')).toBe('2')
  })

  test('what every object inherits is no secret', async () => {
    const { value } = await readSecrets(await envFile('ONE=1\n'), Object.create(null))
    expect(value('constructor')).toBeUndefined()
  })

  test('may be missing', async () => {
    const secrets = await readSecrets(join(folder, 'none'), { ONE: '1' })
    expect(secrets.value('ONE')).toBe('1')
    expect(secrets.warnings).toEqual([])
  })

  test('is read as PowerShell and Notepad write it', async () => {
    const utf16 = Buffer.from('\uFEFFONE=ünö\r\nTWO=2\r\n', 'utf16le')
    const { value } = await readSecrets(await envFile(utf16), {})
    expect([value('ONE'), value('TWO')]).toEqual(['ünö', '2'])
    expect((await readSecrets(await envFile('\uFEFFONE=1\n'), {})).value('ONE')).toBe('1')
  })

  test.runIf(posix).each([0o640, 0o604, 0o644])('mode %o is warned about, with the command', async (mode) => {
    const { warnings } = await readSecrets(await envFile('ONE=1\n', mode), {})
    expect(warnings).toEqual([
      `others on this machine can open ${folder}/.env (mode ${mode.toString(8)}); run: chmod 600 '${folder.replace("'", `'\\''`)}/.env'`,
    ])
  })

  test('mode 600 is not', async () => {
    expect((await readSecrets(await envFile('ONE=1\n'), {})).warnings).toEqual([])
  })
})

test('references are found at any depth, once, in order', () => {
  const refs = secretRefs({ a: 'env:B', b: ['env:A', { c: 'env:B' }], d: 'env:', e: 'xenv:C', f: 'env:1' })
  expect(refs).toEqual(['env:B', 'env:A'])
  expect(secretName(SecretRef.parse('env:PG_URL'))).toBe('PG_URL')
})
