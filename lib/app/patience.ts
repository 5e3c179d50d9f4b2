import { setTimeout as pause } from 'node:timers/promises'

/** Twice pgbouncer's default of server_login_retry. Milliseconds. */
const patience = 30_000

/**
 * Runs a command of an app that may connect through pgbouncer, which remembers that a database
 * refused a login and answers everybody with that for a while, also when it takes connections again.
 */
export async function withPatience(
  command: () => Promise<void>,
  onWait: (why: string) => void,
): Promise<void> {
  const deadline = Date.now() + patience
  for (;;) {
    try {
      await command()
      return
    } catch (error) {
      const { ProcessOutput } = await import('zx/core')
      const remembered =
        error instanceof ProcessOutput &&
        /server_login_retry|server login has been failing/.test(error.stdall)
      if (!remembered || Date.now() > deadline) throw error
      onWait('pgbouncer still remembers the closed door; trying again')
      await pause(2000)
    }
  }
}
