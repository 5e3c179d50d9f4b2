import type { Session } from '../task/session.ts'
import { type Failure, failuresError } from './failures.ts'
import { nameOf, type Subject } from './subject.ts'
import { chosenSubjects } from './target.ts'

/**
 * Does something to each subject that `--only` names. One that fails does not stop the others.
 * @param what was done to them, as it is told of those that failed: `backed up`, `verified`
 * @throws TaskError one for all that failed
 */
export async function eachSubject(
  session: Session<{ only?: string[] | undefined }>,
  what: string,
  work: (subject: Subject) => Promise<void>,
): Promise<void> {
  const subjects = chosenSubjects(session.estate, session.flags.only)
  const failures: Failure[] = []
  for (const subject of subjects) {
    try {
      await work(subject)
    } catch (error) {
      if (session.run.signal().aborted) throw error
      failures.push({ name: nameOf(subject), error })
    }
  }
  if (failures.length > 0) throw await failuresError(failures, subjects.length, what)
}
