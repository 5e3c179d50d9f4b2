import { MachineProcess } from './process.ts'
import { quote } from './quote.ts'
import type { ShellContext } from './shell.ts'

/** Who holds a lock; written into the lock file for the others to read. */
export interface Holder {
  who: string
  task: string
  /** ISO 8601. */
  since: string
}

export type Attempt =
  | { held: true; release(): Promise<void>; lost: Promise<Error> }
  | { held: false; by: string }

/**
 * Takes a lock on a machine for as long as a channel lives: the kernel gives it up when the holder
 * ends, and the guard ends the holder when we do not answer any more. So a crash leaves none.
 *
 * @param context must be able to write /run/lock: root
 */
export async function acquireLock(context: ShellContext, name: string, holder: Holder): Promise<Attempt> {
  const { machine } = context
  const file = `/run/lock/hausmeister/${name.replaceAll('/', '.')}`
  const script = `
    set -euo pipefail
    umask 022
    mkdir -p /run/lock/hausmeister
    exec 9<> ${quote(file)}
    if ! flock -n 9; then cat <&9 2>/dev/null || true; exit 75; fi
    truncate -s 0 ${quote(file)}
    printf '%s\\n' ${quote(JSON.stringify(holder))} >&9
    echo held
    exec cat > /dev/null`
  const child = new MachineProcess(machine.host, async () =>
    machine.start(`bash -c ${quote(script)}`, await context.escalation()),
  )
  let complaint = ''
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const said = new Promise<undefined>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.endsWith('held\n')) resolve(undefined)
    })
  })
  const ended = new Promise<{ code: number | null; error: Error }>((resolve) => {
    let error: Error | undefined
    child.once('error', (reason) => (error = reason))
    child.once('close', (code) => {
      error ??= new Error(
        `${machine.host}: the lock ${name} was lost (exit code ${code}): ${complaint.trim()}`,
      )
      resolve({ code, error })
    })
  })
  const failed = await Promise.race([said, ended])
  if (failed?.code === 75) return { held: false, by: output.trim() }
  if (failed) throw failed.error
  return {
    held: true,
    lost: ended.then(({ error }) => error),
    release: async () => {
      child.stdin.end()
      await ended
    },
  }
}
