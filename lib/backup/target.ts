import { EstateError } from '../inventory/errors.ts'
import type { Estate } from '../inventory/estate.ts'
import type { BackupEntry } from '../inventory/inventory.ts'
import type { SecretRef } from '../inventory/secrets.ts'
import { Store } from '../s3/store.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import type { Session } from '../task/session.ts'
import { isNamed, nameOf, type Subject, subjectsOf } from './subject.ts'

/** @throws EstateError when the inventory says nothing of backups */
export function backupOf(estate: Estate): BackupEntry {
  if (estate.backup) return estate.backup
  throw new EstateError(`${estate.file} has no "backup"`, 'docs/inventory.md says how to add one')
}

export function storeSecrets({ store }: BackupEntry): SecretRef[] {
  return [store.accessKey, store.secretKey]
}

/**
 * What the flags name of all that is backed up.
 * @param names all, when there are none
 * @throws EstateError for a name that is not backed up
 */
export function chosenSubjects(estate: Estate, names: readonly string[] = []): Subject[] {
  const all = subjectsOf(estate, backupOf(estate))
  if (names.length === 0) return all
  return names.map((name) => {
    const [found, other] = all.filter((subject) => isNamed(subject, name))
    if (found && !other) return found
    const choices = all.map((subject) => nameOf(subject)).join(', ')
    throw new EstateError(
      `${name} is not one thing that ${estate.file} has backed up`,
      `These are: ${choices}`,
    )
  })
}

/** @throws TaskError when the store does not answer, does not know us, or has no such bucket */
export async function openStore(session: Session<unknown>): Promise<Store> {
  const store = new Store(session.estate, backupOf(session.estate).store, session.run)
  if (await store.hasBucket()) return store
  throw new TaskError(`there is no bucket ${store.entry.bucket} at ${store.entry.endpoint}`, {
    code: exitCode.usage,
    next: session.command('backup-up', []),
  })
}
