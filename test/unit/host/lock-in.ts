import { asLoginUser, type Escalation } from '../../../lib/host/escalation.ts'
import { LocalMachine } from '../../../lib/host/local.ts'
import { acquireLock, type Attempt, type Holder } from '../../../lib/host/lock.ts'
import { quote } from '../../../lib/host/quote.ts'
import { RecordedRun } from '../doubles.ts'

/** This computer, with another folder for its locks; notes the number of the process that holds one. */
class Elsewhere extends LocalMachine {
  readonly #folder: string

  constructor(folder: string) {
    super('here')
    this.#folder = folder
  }

  override start(line: string, escalation: Escalation) {
    const moved = line.replaceAll(
      '/run/lock/hausmeister',
      quote(this.#folder).replaceAll("'", String.raw`'\''`),
    )
    const noted = `echo $$ > ${quote(`${this.#folder}/number`)}; exec ${moved}`
    return super.start(`bash -c ${quote(noted)}`, escalation)
  }
}

/** Takes a lock as `host.lock` does, in a folder of the test. */
export function lockIn(folder: string, name: string, holder: Holder): Promise<Attempt> {
  const machine = new Elsewhere(folder)
  const run = new RecordedRun()
  return acquireLock({ machine, user: 'root', escalation: async () => asLoginUser, run }, name, holder)
}

const [, script, folder] = process.argv
if (script === import.meta.filename && folder !== undefined) {
  await lockIn(folder, 'pg/shop', { who: 'program', task: 'test', since: '' })
  console.log('held')
}
