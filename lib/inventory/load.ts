import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { InventoryError, type Problem } from './errors.ts'
import { Estate } from './estate.ts'
import { parseInventory } from './parse.ts'
import { readSecrets, type Secrets } from './secrets.ts'
import { decodeText } from './text.ts'

/**
 * Reads the inventory and the `.env` beside it.
 *
 * @param path as the operator gave it; relative to the working directory
 * @param env wins over the `.env` file; never changed
 * @throws InventoryError with all problems at once
 */
export async function loadEstate(path: string, env: NodeJS.ProcessEnv = process.env): Promise<Estate> {
  const file = resolve(path)
  const text = await readText(file, path)
  const [inventory, secrets] = await Promise.allSettled([
    parseInventory(text, path),
    secretsBeside(file, env),
  ])
  if (inventory.status === 'fulfilled' && secrets.status === 'fulfilled') {
    return new Estate(inventory.value, file, secrets.value)
  }
  throw new InventoryError([...problemsOf(inventory), ...problemsOf(secrets)])
}

function problemsOf(outcome: PromiseSettledResult<unknown>): Problem[] {
  if (outcome.status === 'fulfilled') return []
  if (outcome.reason instanceof InventoryError) return outcome.reason.problems
  throw outcome.reason
}

async function readText(file: string, path: string): Promise<string> {
  try {
    return decodeText(await readFile(file))
  } catch (error) {
    throw new InventoryError([unreadable(file, path, error)])
  }
}

function unreadable(file: string, path: string, error: unknown): Problem {
  const at = { file: path, line: 1, column: 1, path: '' }
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR': {
      const hint = 'Copy inventory.json from the repository there, or name another one with --inventory FILE'
      return { ...at, message: `there is no inventory at ${file}`, hint }
    }
    case 'EISDIR':
      return {
        ...at,
        message: `${file} is a directory`,
        hint: `Try --inventory ${join(path, 'inventory.json')}`,
      }
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return { ...at, message: 'is not UTF-8 text', hint: 'Save it as UTF-8 in your editor' }
    default:
      return { ...at, message: `cannot be read: ${error instanceof Error ? error.message : String(error)}` }
  }
}

async function secretsBeside(file: string, env: NodeJS.ProcessEnv): Promise<Secrets> {
  const envFile = join(dirname(file), '.env')
  try {
    return await readSecrets(envFile, env)
  } catch (error) {
    const message =
      codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'is not UTF-8 text' : 'cannot be read'
    const reason = error instanceof Error ? error.message : String(error)
    throw new InventoryError([
      { file: envFile, line: 1, column: 1, path: '', message: `${message}: ${reason}` },
    ])
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
