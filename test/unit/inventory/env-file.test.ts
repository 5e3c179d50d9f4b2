import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { changeEnvFile, withVariables } from '../../../lib/inventory/env-file.ts'

describe('one line is changed, the others stay', () => {
  test.each([
    ['# mine\nA=1\nB = "2" # why\n', { A: 'x' }, '# mine\nA=x\nB = "2" # why\n'],
    ['A=1\nB=2\n', { A: 'x', A_PREVIOUS: '1' }, 'A=x\nA_PREVIOUS=1\nB=2\n'],
    ['A=1\nA_PREVIOUS=0\nB=2\n', { A_PREVIOUS: undefined }, 'A=1\nB=2\n'],
    ['export A="1"\r\nB=2\r\n', { A: 'x' }, 'export A=x\r\nB=2\r\n'],
    ['A=1\nA=2', { A: 'x' }, 'A=1\nA=x'],
    ['#A=1\nAA=2\n', { A: 'x' }, '#A=1\nAA=2\nA=x\n'],
    ['', { A: 'x' }, 'A=x\n'],
  ])('%j with %j', (text, changes, expected) => expect(withVariables(text, changes)).toBe(expected))
})

describe('on the disk', () => {
  let folder: string
  let file: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hausmeister-env-'))
    file = join(folder, '.env')
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('mode and link stay, and nothing is left beside it', async () => {
    await writeFile(join(folder, 'real'), 'A=1\n', { mode: 0o600 })
    await symlink('real', file)
    await changeEnvFile(file, { A: 'x' })
    expect(await readFile(join(folder, 'real'), 'utf8')).toBe('A=x\n')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['.env', 'real'])
  })

  test('where there is none, one is made for its owner alone', async () => {
    await changeEnvFile(file, { A: 'x' })
    expect(await readFile(file, 'utf8')).toBe('A=x\n')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('a line that belongs to a longer value is not taken for a variable', async () => {
    const text = 'KEY="first\nA=1\nlast"\n'
    await writeFile(file, text)
    await expect(changeEnvFile(file, { A: 'x' })).rejects.toThrow('could not be changed')
    expect(await readFile(file, 'utf8')).toBe(text)
  })
})
