/** Run on the workstation: backup-prune, for which it is LATER hours later than it is for the store. */
import { Store } from '../../../lib/s3/store.ts'
import { liveTask } from '../../../lib/task/life.ts'
import { task } from '../../../tasks/backup-prune.ts'

const later = Number(process.env['LATER']) * 60 * 60 * 1000
Store.prototype.clock = async () => new Date(Date.now() + later)
process.exitCode = await liveTask(task, process.argv.slice(2))
