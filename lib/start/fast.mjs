// @ts-check
/**
 * Starts a task in the fast form: out of a bundle of all tasks, which is made anew when a source has changed. Where there
 * is none and none can be made, tsx runs the task: slower, and the same. JavaScript, because Node 20 reads it as it is.
 *
 *   node lib/start/fast.mjs tasks/backup-now.ts --quiet
 */
import { realpathSync } from 'node:fs'
import nodeModule from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { bundleOf } from './bundle.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const [, , given = ''] = process.argv
const task = taskFile(given)
if (task === undefined) {
  process.stderr.write(
    `error: "${given}" is no task of ${root}\n  next: node lib/start/fast.mjs tasks/NAME.ts --help\n`,
  )
  process.exitCode = 2
} else {
  const bundle = await bundleOf(root)
  await start(bundle === undefined ? await throughTsx(task) : outOf(bundle, basename(task, '.ts')))
}

/** @param {string} path */
function taskFile(path) {
  try {
    const file = realpathSync.native(path)
    return file.endsWith('.ts') && file === realpathSync.native(join(root, 'tasks', basename(path)))
      ? file
      : undefined
  } catch {
    return undefined
  }
}

/** @param {string} bundle @param {string} name */
function outOf(bundle, name) {
  // A stack names the lines of the TypeScript.
  process.setSourceMapsEnabled(true)
  // Node 22 and newer keep what they have compiled; the types are those of Node 20.
  if ('enableCompileCache' in nodeModule && typeof nodeModule.enableCompileCache === 'function')
    nodeModule.enableCompileCache(join(bundle, 'compiled'))
  return join(bundle, `${name}.mjs`)
}

/** @param {string} file */
async function throughTsx(file) {
  const { register } = await import('tsx/esm/api')
  register()
  return file
}

/**
 * As if it had been given to node itself.
 * @param {string} file
 */
async function start(file) {
  process.argv.splice(1, 2, file)
  await import(pathToFileURL(file).href)
}
