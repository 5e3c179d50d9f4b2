import { setTimeout as wait } from 'node:timers/promises'

import type { Session } from '../task/session.ts'
import { withConsole } from './console.ts'
import type { Route } from './ini.ts'
import { Pausing } from './pause.ts'
import { isOurs, pointPooler, writeRoutes } from './point.ts'
import type { Pooler } from './pooler.ts'
import { poolerOf } from './poolers.ts'
import { routesOf } from './target.ts'

/** How long transactions may go on while new ones wait. Milliseconds. */
const drainPatience = 1000
/** Nobody can write while we wait for this. Milliseconds. */
const turnPatience = 5000

/**
 * The pooler of a cluster whose primary changes, with its lock, which pg-pooler takes too.
 * @returns undefined when there is none, or none that is ours to point; the operator is told of that one
 */
export async function switchingPooler(
  session: Session<unknown>,
  cluster: string,
): Promise<SwitchingPooler | undefined> {
  const { estate, dryRun } = session
  const pooler = await poolerOf(session, cluster)
  if (!pooler) return undefined
  if (!(await isOurs(pooler))) {
    const command = session.command('pg-pooler', ['--cluster', cluster])
    session.warn(
      `${pooler.name} was never set up by pg-pooler, and stays pointed to where it is; this points it: ${command}`,
    )
    return undefined
  }
  const lock = `pooler/${cluster}`
  // The servers matter more: they are brought to an end that lasts, also without the pooler.
  await session.lock(
    lock,
    (holder) => pooler.files.lock(lock, holder),
    () => {},
  )
  if (!(await pooler.isRunning())) {
    session.warn(`${pooler.name} is not running: nobody waits there; it is pointed for its next start`)
  }
  return new SwitchingPooler(pooler, (primary) => routesOf(estate, cluster, pooler.hostName, primary), dryRun)
}

/** A pooler whose clients wait while their server is exchanged for another one. */
export class SwitchingPooler {
  readonly #pooler: Pooler
  readonly #routesTo: (primary: string) => Route[]
  readonly #pausing: Pausing
  readonly #dryRun: boolean
  #turned = false

  constructor(pooler: Pooler, routesTo: (primary: string) => Route[], dryRun: boolean) {
    this.#pooler = pooler
    this.#routesTo = routesTo
    this.#pausing = new Pausing(pooler)
    this.#dryRun = dryRun
  }

  get name(): string {
    return this.#pooler.name
  }

  /** Since when its clients wait, by `performance.now()`. */
  get since(): number | undefined {
    return this.#pausing.since
  }

  /**
   * Lets new transactions wait, and those that are running come to their end. One that does not in time, and each
   * session of a client in session mode, will be cut off when the server stops, as all would be without a pause.
   *
   * @returns what was seen, in a few words
   */
  async pause(): Promise<string> {
    const pooler = this.#pooler
    if (!(await pooler.isRunning())) return 'it is not running'
    // First, because to connect takes longer than what is asked then.
    return withConsole(pooler, async (ask) => {
      await this.#pausing.pause()
      if (this.#dryRun) return 'its clients wait'
      const deadline = Date.now() + drainPatience
      for (;;) {
        const busy = (await ask('show servers')).length
        if (busy === 0) return 'its clients wait'
        if (Date.now() > deadline) {
          return `its clients wait; ${busy} of them did not end a transaction in ${drainPatience / 1000} s, and will be cut off`
        }
        await wait(10)
      }
    })
  }

  /** While it is paused: from now on it goes to the other server, whoever resumes it. */
  async turn(primary: string): Promise<void> {
    this.#turned = true
    await writeRoutes(this.#pooler, this.#routesTo(primary))
    await this.#pausing.reload(turnPatience)
  }

  /** Does nothing when it is not paused. */
  async resume(): Promise<void> {
    await this.#pausing.resume()
  }

  /** Paused or not: it goes to this server, and its clients go on. */
  async settle(primary: string): Promise<void> {
    // A dry run has told of it when it told of the turn.
    if (!(this.#dryRun && this.#turned)) {
      await pointPooler(this.#pooler, this.#routesTo(primary), this.#dryRun)
    }
    await this.resume()
  }
}
