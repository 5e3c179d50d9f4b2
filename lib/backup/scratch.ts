import { explain } from '../task/explain.ts'
import type { Session } from '../task/session.ts'

/** What a backup is restored into to look at it. */
export interface Scratch {
  name: string
  /** The machine or the server that it is on. */
  on: string
  drop: () => Promise<void>
}

/**
 * Does something with a scratch that does not outlive it, whatever happens. What a kill or a dead machine leaves is
 * dropped by the next run.
 */
export async function withScratch<T>(
  session: Session<unknown>,
  { name, on, drop }: Scratch,
  work: () => Promise<T>,
): Promise<T> {
  let value: T
  try {
    value = await work()
  } catch (error) {
    if (session.run.signal().aborted) {
      return session.recover(error, {
        title: `Drop ${name}`,
        next: 'run it again: it drops what is left',
        work: async () => {
          await drop()
          return `${name} is dropped`
        },
      })
    }
    await session.step(`Drop ${name}`, drop).catch(async (second: unknown) => {
      const why = await explain(second)
      const reason = why instanceof Error ? why.message : String(why)
      session.warn(`${name} is still on ${on}, and the next run drops it: ${reason}`)
    })
    throw await explain(error)
  }
  await session.step(`Drop ${name}`, drop)
  return value
}
