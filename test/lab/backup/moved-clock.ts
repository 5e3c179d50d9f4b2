/**
 * Loaded ahead of a task, by NODE_OPTIONS: moves the clock functions of backups by MOVED_HOURS. Not that of the process,
 * by which requests to the store are signed: the store would refuse them.
 */
import { clock } from '../../../lib/backup/clock.ts'
import { Store } from '../../../lib/s3/store.ts'

const moved = Number(process.env['MOVED_HOURS']) * 60 * 60 * 1000
clock.now = () => new Date(Date.now() + moved)
Store.prototype.clock = async () => clock.now()
