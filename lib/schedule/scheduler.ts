import type { Run } from '../host/events.ts'
import type { Host } from '../host/host.ts'
import { TaskError } from '../task/errors.ts'
import { crontab } from './crontab.ts'
import type { Scheduler } from './job.ts'
import { systemd } from './systemd.ts'

/**
 * What runs jobs on a machine: systemd where it is, else cron.
 * @throws TaskError when there is neither
 */
export async function schedulerOf(login: Host, user: string, run: Run): Promise<Scheduler> {
  // sd_booted(3) says how systemd is known.
  const { stdout } = await login.read`
    if [ -d /run/systemd/system ]; then echo systemd; exit; fi
    if ! command -v crontab > /dev/null; then echo none
    elif grep -qxsE 'cron|crond' /proc/[0-9]*/comm; then echo cron
    else echo asleep; fi`
  switch (stdout.trim()) {
    case 'systemd':
      return systemd(login, run)
    case 'cron':
      return crontab(login, user, run)
    case 'asleep':
      throw new TaskError(`${login.name} has a crontab, and no cron that reads it`, {
        next: `as root on ${login.name}: service cron start`,
      })
    default:
      throw new TaskError(`${login.name} has neither systemd nor cron, so nothing runs there by itself`, {
        next: `as root on ${login.name}: apt-get install cron`,
      })
  }
}
