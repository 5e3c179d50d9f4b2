import { readdirSync } from 'node:fs'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { execa, type Options } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'

const ours = fileURLToPath(new URL('../..', import.meta.url))
const ourTasks = readdirSync(join(ours, 'tasks')).map((file) => basename(file, '.ts'))
const cache = 'node_modules/.cache/hausmeister'

/** A checkout with a task that says out of which file it runs. */
let root: string

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'hausmeister-fast-')))
  for (const folder of ['tasks', 'lib', 'node_modules']) await mkdir(join(root, folder))
  for (const name of ['esbuild', 'tsx']) {
    await symlink(join(ours, 'node_modules', name), join(root, 'node_modules', name))
  }
  await cp(join(ours, 'lib/start'), join(root, 'lib/start'), { recursive: true })
  await cp(join(ours, 'tsconfig.json'), join(root, 'tsconfig.json'))
  await put('package.json', '{ "type": "module" }')
  await put('node_modules/.package-lock.json', '{}')
  await put('lib/word.ts', `export const word: string = 'first'`)
  await put(
    'tasks/say.ts',
    `import { word } from '../lib/word.ts'
console.log(word, process.argv[1] === import.meta.filename, process.argv.slice(2).join(), import.meta.filename)`,
  )
})

afterEach(() => rm(root, { recursive: true, force: true }))

function put(path: string, text: string): Promise<void> {
  return writeFile(join(root, path), text)
}

function fast(args: string[], options: Options = {}) {
  const all = ['lib/start/fast.mjs', ...args]
  return execa(process.execPath, all, { cwd: root, reject: false, stdin: 'ignore', ...options })
}

/** Runs the task, with a flag that it must be given as it is. */
async function say(): Promise<{ word: string; form: 'bundle' | 'tsx' }> {
  const { stdout, stderr, exitCode } = await fast(['tasks/say.ts', '--quiet'])
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  const [word = '', isMain, flags, file = ''] = String(stdout).split(' ')
  expect({ isMain, flags }).toEqual({ isMain: 'true', flags: '--quiet' })
  if (file === join(root, 'tasks/say.ts')) return { word, form: 'tsx' }
  expect(file).toContain(join(root, cache))
  return { word, form: 'bundle' }
}

async function bundles(): Promise<string[]> {
  return (await readdir(join(root, cache))).map((name) => join(root, cache, name))
}

/** From now on nobody who runs the tests may put anything there. */
async function lock(): Promise<void> {
  // Root may write everywhere, and leaves what is of others alone.
  if (process.getuid?.() === 0) await chown(join(root, 'node_modules'), 65_534, 65_534)
  else await chmod(join(root, 'node_modules'), 0o555)
}

test('the first run makes the bundle, the next one takes it, a changed source makes another', async () => {
  expect(await say()).toEqual({ word: 'first', form: 'bundle' })
  expect(await say()).toEqual({ word: 'first', form: 'bundle' })
  expect(await bundles()).toHaveLength(1)
  await put('lib/word.ts', `export const word: string = 'other'`)
  expect(await say()).toEqual({ word: 'other', form: 'bundle' })
  expect(await bundles()).toHaveLength(2)
})

test('a broken bundle is not run', async () => {
  await say()
  const [bundle = ''] = await bundles()
  await writeFile(join(bundle, 'say.mjs'), `console.log('broken')`)
  expect(await say()).toEqual({ word: 'first', form: 'bundle' })
})

test('where nothing can be written tsx runs the task, and why is told to who asks', async () => {
  await lock()
  expect(await say()).toEqual({ word: 'first', form: 'tsx' })
  const { stderr } = await fast(['tasks/say.ts'], { env: { NODE_DEBUG: 'hausmeister' } })
  expect(stderr).toMatch(/no bundle: .*(node_modules belongs to another user|EACCES)/)
})

test('a bundle that is there is taken where nothing can be written; a stale one is not', async () => {
  await say()
  await lock()
  expect(await say()).toEqual({ word: 'first', form: 'bundle' })
  await put('lib/word.ts', `export const word: string = 'other'`)
  expect(await say()).toEqual({ word: 'other', form: 'tsx' })
})

test('a cache that is no folder', async () => {
  await put('node_modules/.cache', 'in the way')
  expect(await say()).toEqual({ word: 'first', form: 'tsx' })
})

test('a run that is killed while it makes the bundle', async () => {
  const killed = fast(['tasks/say.ts'])
  await expect.poll(() => bundles().catch(() => []), { interval: 1 }).toHaveLength(1)
  killed.kill('SIGKILL')
  await killed
  expect(await say()).toEqual({ word: 'first', form: 'bundle' })
})

test('several at once, none of which finds a bundle', async () => {
  const runs = await Promise.all(Array.from({ length: 4 }, () => say()))
  expect(runs).toEqual(Array.from({ length: 4 }, () => ({ word: 'first', form: 'bundle' })))
})

test('what throws is found in the TypeScript', async () => {
  await put(
    'lib/word.ts',
    `type Word = string\n\nexport const word: Word = missing()\ndeclare function missing(): Word`,
  )
  const { stderr, exitCode } = await fast(['tasks/say.ts'])
  expect(exitCode).toBe(1)
  expect(stderr).toContain(`${join(root, 'lib/word.ts')}:3:27`)
})

test.each([[[]], [['tasks/nothing.ts']], [['lib/word.ts']], [['--help']]])('no task: %j', async (args) => {
  const { stderr, stdout, exitCode } = await fast(args)
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain(`error: "${args[0] ?? ''}" is no task of ${root}`)
})

test.each(ourTasks)('%s runs out of the bundle', async (task) => {
  const { stdout, stderr } = await execa(
    process.execPath,
    ['lib/start/fast.mjs', `tasks/${task}.ts`, '--help'],
    {
      cwd: ours,
      env: { NODE_DEBUG: 'hausmeister' },
    },
  )
  expect(stderr).toBe('')
  expect(stdout.startsWith(`${task}: `)).toBe(true)
})
