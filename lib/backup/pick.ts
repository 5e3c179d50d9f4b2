import type { Store } from '../s3/store.ts'
import type { Session } from '../task/session.ts'
import { readBackups } from './backups.ts'
import { type Choice, describeBackup, type WholeBackup } from './choose.ts'
import { nameOf, type Subject } from './subject.ts'

/**
 * A step that finds the backup to be worked on, and tells of those that were passed over.
 * @param choose `toVerify` or `toRestore`
 */
export async function pickBackup(
  session: Session<{ backup?: string | undefined }>,
  store: Store,
  subject: Subject,
  choose: (subject: Subject, all: Awaited<ReturnType<typeof readBackups>>, id?: string) => Choice,
): Promise<WholeBackup> {
  const name = nameOf(subject)
  const { backup, remarks } = await session.step(`Choose a backup of ${name}`, async (step) => {
    const choice = choose(subject, await readBackups(store, session.estate, subject), session.flags.backup)
    step.detail = describeBackup(choice.backup, new Date())
    return choice
  })
  for (const remark of remarks) session.warn(`${name}: ${remark}`)
  return backup
}
