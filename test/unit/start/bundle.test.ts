import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { bundleOf } from '../../../lib/start/bundle.mjs'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hausmeister-bundle-'))
  await put('package.json', '{ "type": "module" }')
  await put('tsconfig.json', '{}')
  await put('node_modules/.package-lock.json', '{ "packages": {} }')
  await put('lib/word/word.ts', `export const word: string = 'first'`)
  await put('tasks/say.ts', `import { word } from '../lib/word/word.ts'\nexport const said = word`)
})

afterEach(() => rm(root, { recursive: true, force: true }))

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}

async function made(): Promise<string> {
  return (await bundleOf(root)) ?? expect.fail('there is no bundle')
}

async function said(bundle: string): Promise<unknown> {
  const { said: word }: { said: unknown } = await import(join(bundle, 'say.mjs'))
  return word
}

test('it is made once', async () => {
  const bundle = await made()
  expect(await said(bundle)).toBe('first')
  expect(await bundleOf(root)).toBe(bundle)
})

test.each([
  ['lib/word/word.ts', `export const word: string = 'other'`, 'other'],
  ['tasks/say.ts', `export const said = 'new'`, 'new'],
  ['tasks/another.ts', '', 'first'],
  ['package.json', '{ "type": "module", "version": "2" }', 'first'],
  ['tsconfig.json', '{ "compilerOptions": {} }', 'first'],
  ['node_modules/.package-lock.json', '{ "packages": { "node_modules/zod": {} } }', 'first'],
])('another %s, another bundle', async (path, text, word) => {
  const before = await made()
  await put(path, text)
  const after = await made()
  expect(after).not.toBe(before)
  expect(await said(after)).toBe(word)
})

test('a file that is as long and as old as before is another one all the same', async () => {
  const before = await made()
  const file = join(root, 'lib/word/word.ts')
  await put('lib/word/word.ts', `export const word: string = 'worst'`)
  await utimes(file, 0, 0)
  expect(await said(await made())).toBe('worst')
  await put('lib/word/word.ts', `export const word: string = 'first'`)
  expect(await bundleOf(root)).toBe(before)
})

test.each([
  ['whose making was cut off', (bundle: string) => rm(join(bundle, 'seal'))],
  ['that lost a file', (bundle: string) => rm(join(bundle, 'say.mjs'))],
  ['with an empty file', (bundle: string) => writeFile(join(bundle, 'say.mjs'), '')],
  ['with a file too many', (bundle: string) => writeFile(join(bundle, 'more.mjs'), '')],
  [
    'with another letter',
    async (bundle: string) => {
      const text = await readFile(join(bundle, 'say.mjs'), 'utf8')
      await writeFile(join(bundle, 'say.mjs'), text.replace('first', 'forst'))
    },
  ],
])('one %s is not taken, and not touched: a run may be at work in it', async (_, harm) => {
  const before = await made()
  await harm(before)
  const files = await readdir(before)
  const after = await made()
  expect(after).not.toBe(before)
  expect(await said(after)).toBe('first')
  expect(await readdir(before)).toEqual(files)
})

test('a package in CommonJS gives what Node gives, and finds its own files', async () => {
  await put('package.json', '{ "type": "module", "dependencies": { "old": "1.0.0", "new": "1.0.0" } }')
  await put('node_modules/old/package.json', '{ "main": "index.js" }')
  await put('node_modules/old/index.js', 'exports.old = require("node:path").basename(__dirname)')
  await put('node_modules/new/package.json', '{ "type": "module", "exports": "./index.js" }')
  await put('node_modules/new/index.js', `export const fresh = 'new'`)
  await put(
    'tasks/say.ts',
    `const [{ old }, { fresh }] = await Promise.all([import('old'), import('new')])\nexport const said = old + fresh`,
  )
  const bundle = await made()
  expect(await said(bundle)).toBe('oldnew')
  const files = (await readdir(bundle)).filter((name) => name.endsWith('.mjs'))
  const code = await Promise.all(files.map((name) => readFile(join(bundle, name), 'utf8')))
  expect(code.join('')).not.toContain('__dirname')
  expect(code.join('')).toContain(`fresh = "new"`)
})

test('sources that change while it is made', async () => {
  // Long enough for esbuild to be at work when it is changed.
  const many = Array.from({ length: 5000 }, (_, index) => `export const a${index} = ${index}`)
  await put('lib/word/word.ts', [`export const word = 'first'`, ...many].join('\n'))
  const [bundle] = await Promise.all([bundleOf(root), appendFile(join(root, 'tasks/say.ts'), '\n// changed')])
  expect(bundle).toBeUndefined()
  expect(await said(await made())).toBe('first')
})

test('where none can be made there is none', async () => {
  await put('tasks/say.ts', 'export const said = (')
  expect(await bundleOf(root)).toBeUndefined()
  expect(await readdir(join(root, 'node_modules/.cache/hausmeister'))).toEqual([])
  await put('tasks/say.ts', `export const said = 'first'`)
  await rm(join(root, 'node_modules/.cache'), { recursive: true })
  await put('node_modules/.cache', 'in the way')
  expect(await bundleOf(root)).toBeUndefined()
  await rm(join(root, 'node_modules'), { recursive: true })
  expect(await bundleOf(root)).toBeUndefined()
})

test('the ten newest stay', async () => {
  const first = await made()
  for (let count = 0; count < 12; count += 1) {
    const old = `${first}-old-${count}`
    await cp(first, old, { recursive: true })
    await utimes(old, 1000 + count, 1000 + count)
  }
  await put('tasks/say.ts', `export const said = 'second'`)
  const second = await made()
  const left = (await readdir(dirname(first))).toSorted()
  const oldest = [4, 5, 6, 7, 8, 9, 10, 11].map((count) => `${basename(first)}-old-${count}`)
  expect(left).toEqual([basename(first), basename(second), ...oldest].toSorted())
})
