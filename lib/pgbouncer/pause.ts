import type { Pooler } from './pooler.ts'

/** pgbouncer itself gives up on clients that have waited for two minutes (query_wait_timeout). Seconds. */
const longest = 90

/** A pooler whose clients wait until it is resumed. */
export interface PausedPooler {
  /** When it was told to, by `performance.now()`. */
  since: number
  /** Reads its files anew, and stays paused. @param timeout milliseconds */
  reload(timeout: number): Promise<void>
  /** Ends the pause, once; later calls do nothing. */
  resume(): Promise<void>
}

/**
 * Pauses pgbouncer while it runs, whatever becomes of us: the word to go on is the end of stdin, which comes
 * as soon as our connection ends; the guard of the connection ends it when the cable was cut; and there is a
 * limit of time. By signals, because they need no login and no client program: nothing that a configuration
 * says can stand in the way of the second one. They mean all databases of the pooler, not one of them.
 *
 * Arguments: seconds, then the command that sends a signal, to which the signal's name is added.
 */
export const holdScript = `
set -e
limit=$1; shift
send=("$@")
resume() {
  # bash itself says "Terminated", and would end by that when nobody listens any more.
  trap '' TERM HUP INT PIPE
  exec > /dev/null 2>&1
  # The guard may end the one that sends it in the middle: then once more.
  for try in 1 2 3 4 5 6 7 8 9 10; do
    if "\${send[@]}" USR2; then return; fi
    sleep 0.2
  done
}
trap resume EXIT
trap 'exit 143' TERM HUP INT
"\${send[@]}" USR1 > /dev/null
echo paused
code=0
read -r -t "$limit" || code=$?
# Above 128 when the time is over.
if [ $code -gt 128 ]; then exit 124; fi
exit 0`

/**
 * Lets the pooler's clients wait, instead of failing, until {@link PausedPooler.resume}. Transactions that are
 * running go on. It is resumed on its machine, also when this program, the connection or the machine that it runs
 * on is gone.
 *
 * @param limit seconds after which it is resumed in any case; clients are told of an error after 120
 * @throws when it could not be paused; it is not paused then
 */
export async function pausePooler(pooler: Pooler, limit = longest): Promise<PausedPooler> {
  const words = await pooler.signal()
  const since = performance.now()
  const holding = pooler.control.change({
    keepInputOpen: true,
    uncancelled: true,
    shown: { command: `pause ${pooler.name}, then resume it` },
  })`exec bash -c ${holdScript} hold ${limit} ${words}`
  const ended = holding.then(
    () => undefined,
    (error: unknown) => error,
  )
  const said = new Promise<'paused'>((resolve) => {
    holding.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('paused')) resolve('paused')
    })
  })
  // In a dry run it ends well at once.
  const failure = await Promise.race([said, ended])
  if (failure !== undefined && failure !== 'paused') throw failure
  let resumed = false
  return {
    since,
    async reload(timeout) {
      await pooler.control.change({ timeout, shown: { command: `reload ${pooler.name}` } })`${words} HUP`
    },
    async resume() {
      if (resumed) return
      resumed = true
      holding.stdin.end()
      // However it ended, the machine has resumed it, or does so within seconds of the cut: but we want to know.
      if ((await ended) !== undefined) await pooler.control.change`${words} USR2`
    },
  }
}

/**
 * A pause that is begun and ended as often as needed: beginning one that is on, and ending one that is not, do
 * nothing. Without a pooler, or while it is down, there is nobody who could wait.
 */
export class Pausing {
  readonly #pooler: Pooler | undefined
  #paused: PausedPooler | undefined

  constructor(pooler: Pooler | undefined) {
    this.#pooler = pooler
  }

  /** How messages name what waits; undefined when there is no pooler. */
  get name(): string | undefined {
    return this.#pooler?.name
  }

  /** Since when it is paused, by `performance.now()`. */
  get since(): number | undefined {
    return this.#paused?.since
  }

  /** @returns whether it is paused now */
  async pause(): Promise<boolean> {
    if (this.#paused) return true
    if (!this.#pooler || !(await this.#pooler.isRunning())) return false
    this.#paused = await pausePooler(this.#pooler)
    return true
  }

  /** Lets it read its files anew while it is paused. @param timeout milliseconds */
  async reload(timeout: number): Promise<void> {
    await this.#paused?.reload(timeout)
  }

  async resume(): Promise<void> {
    const paused = this.#paused
    this.#paused = undefined
    await paused?.resume()
  }
}
