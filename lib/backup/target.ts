import { EstateError } from '../inventory/errors.ts'
import type { Estate } from '../inventory/estate.ts'
import type { BackupEntry } from '../inventory/inventory.ts'
import type { SecretRef } from '../inventory/secrets.ts'
import { Store } from '../s3/store.ts'
import { fromProblems, TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import type { Session } from '../task/session.ts'
import type { Reach } from '../task/task.ts'
import { recipientProblem } from './seal.ts'
import { isNamed, nameOf, type Subject, subjectsOf } from './subject.ts'

/** @throws EstateError when the inventory says nothing of backups */
export function backupOf(estate: Estate): BackupEntry {
  if (estate.backup) return estate.backup
  throw new EstateError(`${estate.file} has no "backup"`, 'docs/inventory.md says how to add one')
}

export function storeSecrets({ store }: BackupEntry): SecretRef[] {
  return [store.accessKey, store.secretKey]
}

/** The machine of a store of our own, on which root is needed. */
export function serverReach({ store: { server } }: BackupEntry): Reach[][] {
  return server ? [[{ host: server.host, as: 'root' }]] : []
}

/** What logging in to MongoDB takes, for those of the subjects that are there. */
export function mongoSecrets(estate: Estate, subjects: readonly Subject[]): SecretRef[] {
  return subjects.flatMap((subject) => {
    const login = subject.kind === 'mongo' ? estate.mongoCluster(subject.cluster).login : undefined
    return login ? [login.password] : []
  })
}

/** What reading backups takes, beside the store: the key that opens them. */
export function restoreSecrets(backup: BackupEntry): SecretRef[] {
  return [...storeSecrets(backup), ...(backup.identity ? [backup.identity] : [])]
}

/** @returns why backups cannot be read with this inventory */
export function identityProblems(estate: Estate): string[] {
  if (backupOf(estate).identity) return []
  return [
    `${estate.file} has no backup.identity: without the secret key of a recipient no backup can be read`,
  ]
}

/** The age secret key. */
export function identityOf(estate: Estate): string {
  const { identity } = backupOf(estate)
  if (identity) return estate.secret(identity)
  throw new EstateError(`${estate.file} has no backup.identity`)
}

/** Where a database's backups are restored to be verified. */
export function scratchClusterOf(estate: Estate, { cluster }: { cluster: string }): string {
  return backupOf(estate).scratch ?? cluster
}

/** Where a folder is unpacked to be verified; undefined: beside it. */
export function scratchFolderOf(
  estate: Estate,
  { host, path }: { host: string; path: string },
): string | undefined {
  return backupOf(estate).folders.find((folder) => folder.host === host && folder.path === path)?.scratch
}

/** Of new databases of a cluster, where the inventory says it. */
export function localeOf(estate: Estate, cluster: string): string | undefined {
  const entry = estate.cluster(cluster)
  return 'hosts' in entry ? entry.locale : undefined
}

/** The inventory's own questions about a database, under either of its names. */
export function checksOf(
  estate: Estate,
  { cluster, database }: { cluster: string; database: string },
): string[] {
  const { checks } = backupOf(estate)
  return [...(checks[database] ?? []), ...(checks[`${cluster}/${database}`] ?? [])]
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

/** The same, as a step of its own. */
export function stepIntoStore(session: Session<unknown>): Promise<Store> {
  return session.step('Open the store', async (step) => {
    const opened = await openStore(session)
    step.title = `Open the ${opened.name}`
    return opened
  })
}

/** @throws TaskError that names those with a wrong letter, before anything is dumped for them */
export async function checkRecipients(estate: Estate): Promise<void> {
  const { recipients } = backupOf(estate)
  const found = await Promise.all(
    recipients.map(async (recipient) => ({ recipient, why: await recipientProblem(recipient) })),
  )
  const wrong = found.filter(({ why }) => why !== undefined)
  if (wrong.length === 0) return
  throw fromProblems(
    wrong.map(
      ({ recipient, why }) => `backup.recipients in ${estate.file}: ${recipient} is no age key: ${why}`,
    ),
    { next: 'put there what age-keygen printed as the public key' },
  )
}
