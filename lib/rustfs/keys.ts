import { randomBytes, randomInt } from 'node:crypto'

import { changeEnvFile } from '../inventory/env-file.ts'
import type { Estate } from '../inventory/estate.ts'
import type { StoreEntry } from '../inventory/inventory.ts'
import { loadEstate } from '../inventory/load.ts'
import { openToOthers, secretName } from '../inventory/secrets.ts'
import { fromProblems, TaskError } from '../task/errors.ts'
import type { Session } from '../task/session.ts'
import { keyNames } from './container.ts'
import { marked } from './mark.ts'

const fields = ['accessKey', 'secretKey'] as const

/** What means the same in `.env`, in compose's env_file and in podman's. */
const plain = /^[A-Za-z0-9._~+/=:-]+$/

/** RustFS takes no others (crates/policy/src/auth/credentials.rs). Characters. */
const lengths = { accessKey: [3, 128], secretKey: [8, 40] } as const

/**
 * Has both keys in the `.env` beside the inventory: those that are missing are the ones that the store has already,
 * else new ones.
 * @param there what the store has, by the names of its variables
 * @returns the estate with its keys; in a dry run that would make one: undefined
 */
export async function bringKeys(
  session: Session<unknown>,
  entry: StoreEntry,
  there: Record<string, string>,
): Promise<Estate | undefined> {
  const { estate, run } = session
  const missing = fields.filter((field) => estate.missingSecrets([entry[field]]).length > 0)
  if (missing.length === 0) return checked(estate, entry)
  const made = missing.map((field) => ({
    name: secretName(entry[field]),
    value: there[keyNames[field]] ?? newKey(field),
  }))
  for (const { value } of made) run.onSecret(value)
  const names = made.map(({ name }) => name).join(' and ')
  const warning = await openToOthers(estate.secretsFile)
  if (warning !== undefined) throw new TaskError(`no key is written there: ${warning}`)
  await session.changeHere(`set ${names} in ${estate.secretsFile}`, () =>
    changeEnvFile(estate.secretsFile, Object.fromEntries(made.map(({ name, value }) => [name, value]))),
  )
  return session.dryRun ? undefined : checked(await loadEstate(estate.file), entry)
}

/** What the container is told. */
export function keyFile(estate: Estate, entry: StoreEntry): string {
  return marked(fields.map((field) => `${keyNames[field]}=${estate.secret(entry[field])}\n`).join(''))
}

function newKey(field: (typeof fields)[number]): string {
  if (field === 'secretKey') return randomBytes(30).toString('base64url')
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  return Array.from({ length: 20 }, () => letters[randomInt(letters.length)]).join('')
}

/** @throws TaskError for keys that RustFS would not take */
function checked(estate: Estate, entry: StoreEntry): Estate {
  const problems = fields.flatMap((field) => {
    const value = estate.secret(entry[field])
    const [least, most] = lengths[field]
    if (plain.test(value) && value.length >= least && value.length <= most) return []
    return [
      `${secretName(entry[field])} is no key for RustFS: ${least} to ${most} letters, digits and . _ ~ + / = : -`,
    ]
  })
  if (problems.length === 0) return estate
  throw fromProblems(problems, { next: `take its line out of ${estate.secretsFile}, and one is made` })
}
