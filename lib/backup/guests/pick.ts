import { suggestion } from '../../inventory/nearest.ts'
import type { BackupJob } from '../../pve/backup-jobs.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import type { GuestBackup } from './judge.ts'
import type { Survey } from './survey.ts'

/** What a flag has named: a guest, or a backup job with all its guests. */
export type Picked = { survey: Survey; guest: GuestBackup } | { survey: Survey; job: BackupJob }

/**
 * Finds a guest by name or VMID, and a job by its ID; with `cluster/` before it where two have one of that name.
 * @throws TaskError when there is none, or more than one
 */
export function pick(surveys: readonly Survey[], name: string): Picked {
  const all = surveys.flatMap((survey) => [
    ...survey.guests.map((guest) => ({
      names: [guest.guest.name, String(guest.guest.vmid)],
      title: `guest ${guest.guest.name} (${survey.name}/${guest.guest.vmid})`,
      picked: { survey, guest },
    })),
    ...survey.jobs.map((job) => ({
      names: [job.id],
      title: `job ${survey.name}/${job.id}`,
      picked: { survey, job },
    })),
  ])
  const found = all.filter(({ names, picked }) =>
    names.some((one) => [one, `${picked.survey.name}/${one}`].includes(name)),
  )
  const [first, ...others] = found
  if (first && others.length === 0) return first.picked
  if (!first) {
    throw new TaskError(
      `there is no guest and no backup job "${name}". ${suggestion(
        name,
        all.flatMap(({ names }) => names),
      )}`,
      { code: exitCode.usage },
    )
  }
  throw new TaskError(`"${name}" is ${found.map(({ title }) => title).join(' and ')}`, {
    code: exitCode.usage,
    next: 'say it by its number',
  })
}

/** @throws TaskError as above, and when it is a job */
export function pickGuest(surveys: readonly Survey[], name: string): { survey: Survey; guest: GuestBackup } {
  const picked = pick(surveys, name)
  if ('guest' in picked) return picked
  throw new TaskError(`"${name}" is a backup job; files are those of a guest`, { code: exitCode.usage })
}
