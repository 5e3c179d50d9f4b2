import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { execa } from 'execa'

import { whyNoLab } from './packages.ts'
import type { Place } from './place.ts'

/** flock's exit code, told to it, for a lock that another holds. */
const taken = 75

/**
 * Runs the work while no other `up` or `down` of this lab runs.
 * The lock is held by a child whose stdin is a pipe of ours, so that it falls when this process dies, however it dies.
 */
export async function withLock<T>(place: Place, work: () => Promise<T>): Promise<T> {
  const reason = await whyNoLab()
  if (reason) throw new Error(reason)
  const folder = dirname(place.state)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, `${place.name}.lock`)
  const hold = ['--nonblock', '--conflict-exit-code', String(taken), path, 'sh', '-c', 'echo held; exec cat']
  const holder = execa('flock', hold, { reject: false, stdin: 'pipe' })
  const early = await Promise.race([
    new Promise<undefined>((resolve) => holder.stdout.once('data', () => resolve(undefined))),
    holder,
  ])
  if (early?.exitCode === taken) {
    throw new Error(
      `another command takes the lab ${place.name} up or down now (${path} is locked); wait for it`,
    )
  }
  if (early) throw new Error(`cannot lock ${path}: ${early.stderr || early.shortMessage}`)
  try {
    return await work()
  } finally {
    holder.stdin.end()
    await holder
  }
}
