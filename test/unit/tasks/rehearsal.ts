import type * as z from 'zod'

import { HostError } from '../../../lib/host/errors.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { Cancellation } from '../../../lib/task/cancellation.ts'
import { TaskError } from '../../../lib/task/errors.ts'
import type { TaskEventBody } from '../../../lib/task/events.ts'
import { exitCode } from '../../../lib/task/exit-code.ts'
import { explain } from '../../../lib/task/explain.ts'
import { preflight } from '../../../lib/task/preflight.ts'
import { Session } from '../../../lib/task/session.ts'
import { task } from '../../../tasks/pg-reset.ts'
import { type Call, RecordedRun, ScriptedMachine } from '../doubles.ts'
import { backend } from '../postgres/backend.ts'
import { type FakeDatabase, FakePostgres } from '../postgres/fake-postgres.ts'
import { psqlOn } from '../postgres/psql.ts'
import { shopEstate } from '../postgres/reset/shop.ts'

/** What may happen to an act on a machine. */
export type Fault =
  /** It fails, and says so. */
  | 'fails'
  /** The connection is lost before it, or after it and before we hear of it. */
  | 'lost before'
  | 'lost after'
  /** Ctrl-C. */
  | 'cancelled before'
  | 'cancelled after'
  /** This program is killed with -9. */
  | 'killed before'
  | 'killed after'

export interface Rehearsed {
  error: TaskError | undefined
  events: TaskEventBody[]
  /** Acts that were told in place of being done. */
  would: string[]
}

interface Options {
  flags?: z.input<typeof task.flags>
  dryRun?: boolean
  inventory?: Record<string, unknown>
  /** Which act meets it: 0 is the first one. */
  fault?: { at: number; kind: Fault }
}

type Act = () => number | Promise<number>

const password = Math.random().toString(36)
const never = new Promise<never>(() => {})

/** The shop's machines: what is done to them stays from one run of the task to the next. */
export class Rehearsal {
  readonly postgres: FakePostgres
  /** What was done, and where: `pg-1: alter database …`. Times are written as `<time>`. */
  readonly transcript: string[] = []
  /** How many acts there were, of PostgreSQL and of the app: each may meet a fault. */
  acts = 0
  /** Who else holds the lock. */
  holder: string | undefined
  /** Machines that do not answer. */
  readonly silent = new Set<string>()
  /** Names of databases that the app's commands cannot fill. */
  app: (command: string, call: Call) => number = () => 0

  constructor(...others: (Partial<FakeDatabase> & { name: string })[]) {
    const environment = '[hausmeister environment=development]'
    this.postgres = new FakePostgres(
      {
        name: 'shop',
        owner: 'shop_app',
        comment: `our shop ${environment}`,
        tables: 12,
        limit: 40,
        sessions: [{ pid: 7, application: 'api', address: '192.0.2.4', user: 'shop_app' }],
      },
      { name: 'shop_shadow', owner: 'shop_app', tables: 12 },
      ...others,
    )
    this.postgres.before = (statement) => this.#write(`pg-1: ${statement}`)
  }

  /** Runs the task. A run that was killed never comes back. */
  async run({
    flags = { database: 'shop' },
    dryRun = false,
    inventory,
    fault,
  }: Options = {}): Promise<Rehearsed> {
    const cancellation = new Cancellation()
    const run = new RecordedRun({ dryRun })
    run.signal = () => cancellation.signal
    this.acts = 0
    const hurt = (call: Call, act: Act) => this.#meet(fault, cancellation, call, act)
    const estate = await shopEstate(inventory, { SHOP_PASSWORD: password })
    const hosts = new Hosts(estate, run, async (name) => this.#machine(name, hurt))
    const events: TaskEventBody[] = []
    const given = task.flags.parse(flags)
    const session = new Session({
      estate,
      flags: given,
      hosts,
      run,
      holder: { who: 'anna@desk', task: 'pg-reset', since: new Date().toISOString() },
      inventory: undefined,
      yes: true,
      emit: (event) => void events.push(event),
      ask: undefined,
      cancellation,
    })
    try {
      await preflight(session, task.preflight({ estate, flags: given }))
      await task.run(session)
      return { error: undefined, events, would: would(run) }
    } catch (thrown) {
      const error = await explain(thrown)
      if (error instanceof TaskError) return { error, events, would: would(run) }
      throw error
    } finally {
      await session.releaseLocks()
    }
  }

  async #meet(fault: Options['fault'], cancellation: Cancellation, call: Call, act: Act): Promise<number> {
    const kind = fault && this.acts === fault.at ? fault.kind : undefined
    this.acts += 1
    const cancel = (): void =>
      cancellation.cancel(new TaskError('cancelled by Ctrl-C', { code: exitCode.cancelled }))
    switch (kind) {
      case undefined:
        return act()
      case 'fails':
        throw new Error('no space left on device')
      case 'lost before':
        throw new HostError('pg-1', 'lost', 'the connection was lost')
      case 'lost after':
        await act()
        throw new HostError('pg-1', 'lost', 'the connection was lost')
      case 'cancelled before':
        cancel()
        // What is not ended by it goes on.
        return call.isKilled() ? never : act()
      case 'cancelled after': {
        const code = await act()
        cancel()
        return code
      }
      case 'killed before':
        return never
      case 'killed after':
        await act()
        return never
    }
  }

  #machine(name: string, hurt: (call: Call, act: Act) => Promise<number>): ScriptedMachine {
    const standby = new FakePostgres()
    standby.standby = true
    const postgres = name === 'pg-1' ? this.postgres : standby
    const dial = async () => {
      const tables = this.postgres.connect('shop').tables
      return backend({ password, query: () => [{ user: 'shop_app', tables }] }).client
    }
    const script = async (call: Call): Promise<number> => {
      if (this.silent.has(name)) throw new HostError(name, 'unreachable', 'no answer')
      const { script: line, say, complain, input } = call
      if (line.includes('psql')) {
        if (line.includes('read_only=on')) return psqlOn(postgres)(call)
        return told(complain, () => hurt(call, () => psqlOn(postgres)(call)))
      }
      if (line.includes('flock')) {
        if (this.holder !== undefined) {
          say(this.holder)
          return 75
        }
        say('held\n')
        await input()
        return 0
      }
      if (line.includes('--kill-whom=main')) {
        // Commands that are held end when their input does.
        this.#write(`${name}: pause`)
        say('paused\n')
        await input()
        this.#write(`${name}: resume`)
        return 0
      }
      const command = /npm run (migrate|seed)/.exec(line)?.[0]
      if (command === undefined) return 0
      return told(complain, () =>
        hurt(call, () => {
          this.#write(`${name} (${call.user}): ${command}`)
          const code = this.app(command, call)
          if (code === 0 && command === 'npm run migrate') this.postgres.connect('shop').tables = 14
          return code
        }),
      )
    }
    return new ScriptedMachine(name, script, { dial })
  }

  #write(line: string): void {
    this.transcript.push(line.replaceAll(/\d{8}T\d{6}Z/g, '<time>'))
  }
}

/** A command that fails says why; a connection that is gone is passed on. */
async function told(complain: (text: string) => void, act: () => Promise<number>): Promise<number> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof HostError) throw error
    complain(error instanceof Error ? error.message : String(error))
    return 1
  }
}

function would(run: RecordedRun): string[] {
  return run.changes.flatMap(({ state, command, input }) =>
    state === 'would' ? (input ?? command).replaceAll(/\d{8}T\d{6}Z/g, '<time>').split('\n') : [],
  )
}
