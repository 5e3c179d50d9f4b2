import { TaskError } from '../task/errors.ts'
import type { Store } from './store.ts'

/** What a probe needs of a store. */
export type Probed = Pick<Store, 'name' | 'writeText' | 'list' | 'readText' | 'remove'>

/**
 * Writes an object, finds it, reads it back and deletes it: all that backups need to be allowed there.
 * @throws TaskError that says which of these does not work
 */
export async function probe(store: Probed, key: string): Promise<void> {
  const content = `hausmeister looked whether it may write here: ${new Date().toISOString()}\n`
  await attempt(store, 'write an object', () => store.writeText(key, content))
  let failure: unknown
  try {
    const found = await attempt(store, 'list objects', () => store.list(key))
    if (found.length !== 1) throw new TaskError(`${store.name} does not list ${key}, which it has just taken`)
    const said = await attempt(store, 'read an object', () => store.readText(key))
    if (said !== content) throw new TaskError(`${store.name} gives back another ${key} than it has taken`)
  } catch (error) {
    failure = error
  }
  try {
    await attempt(store, 'delete an object', () => store.remove(key))
  } catch (error) {
    failure ??= error
  }
  if (failure) throw failure
  if ((await store.list(key)).length > 0)
    throw new TaskError(`${store.name} still has ${key} after deleting it`)
}

async function attempt<T>({ name }: Probed, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof TaskError)) throw error
    const { message, seen, next, code } = error
    throw new TaskError(`cannot ${what} in ${name}: ${message}`, { seen, next, code, cause: error })
  }
}
