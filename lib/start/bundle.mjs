// @ts-check
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debuglog } from 'node:util'

import { digest, sourcesDigest } from './digest.mjs'

/** Below the checkout: who may write there could change the packages too, and `npm ci` clears it. */
const shelf = 'node_modules/.cache/hausmeister'
/** Bundles that stay: one that is at work may not have loaded all of its files yet. */
const kept = 10
/** `NODE_DEBUG=hausmeister` says why there is no bundle. */
const log = debuglog('hausmeister')

/**
 * The folder of a bundle of the sources as they are now; made when there is none.
 * @param {string} root of the checkout
 * @returns {Promise<string | undefined>} undefined: it cannot be made here
 */
export async function bundleOf(root) {
  try {
    const key = sourcesDigest(root)
    return findBundle(root, key) ?? (await makeBundle(root, key))
  } catch (error) {
    log('no bundle: %s', error)
    return undefined
  }
}

/**
 * @param {string} root
 * @param {string} key
 */
function findBundle(root, key) {
  const folder = join(root, shelf)
  return namesIn(folder)
    .filter((name) => name.startsWith(key))
    .map((name) => join(folder, name))
    .find((bundle) => isWhole(bundle))
}

/**
 * Never in the place of another one, which may be at work: each has a name of its own, and counts when its seal is there.
 * @param {string} root
 * @param {string} key
 */
async function makeBundle(root, key) {
  const { uid } = await stat(join(root, 'node_modules'))
  // What root leaves in the checkout of somebody else would be in that one's way.
  if (process.getuid && process.getuid() !== uid)
    throw new Error('node_modules belongs to another user, who has to run this once')
  const { build } = await import('./build.mjs')
  const bundle = join(root, shelf, `${key}-${randomBytes(4).toString('hex')}`)
  await mkdir(bundle, { recursive: true })
  try {
    const tasks = readdirSync(join(root, 'tasks')).filter((name) => name.endsWith('.ts'))
    await build(
      root,
      tasks.map((name) => join('tasks', name)),
      bundle,
    )
    if (sourcesDigest(root) !== key) throw new Error('a source was changed meanwhile')
    await writeFile(join(bundle, 'seal'), seal(bundle))
  } catch (error) {
    await rm(bundle, { recursive: true, force: true })
    throw error
  }
  await removeOldest(join(root, shelf)).catch((error) => log('old bundles stay: %s', error))
  return bundle
}

/** @param {string} bundle */
function isWhole(bundle) {
  try {
    return readFileSync(join(bundle, 'seal'), 'utf8') === seal(bundle)
  } catch {
    return false
  }
}

/** @param {string} bundle */
function seal(bundle) {
  return digest(
    bundle,
    readdirSync(bundle).filter((name) => name.endsWith('.mjs')),
  )
}

/** @param {string} folder */
async function removeOldest(folder) {
  const all = namesIn(folder).map((name) => join(folder, name))
  const ages = new Map(all.map((path) => [path, statSync(path).mtimeMs]))
  const old = all.toSorted((a, b) => (ages.get(b) ?? 0) - (ages.get(a) ?? 0)).slice(kept)
  await Promise.all(old.map((path) => rm(path, { recursive: true, force: true })))
}

/** @param {string} folder */
function namesIn(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
