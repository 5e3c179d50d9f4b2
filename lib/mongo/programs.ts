import type { Host } from '../host/host.ts'
import { TaskError } from '../task/errors.ts'
import { missingProgram } from './server.ts'

/** The first version with `--config`, by which alone a password reaches them unseen (mongo-tools, CHANGELOG: TOOLS-2779). */
const oldest = [100, 3] as const

/**
 * @returns its version, as `100.10.0`
 * @throws TaskError when the machine has none, or one that is too old
 */
export async function toolVersion(host: Host, program: 'mongodump' | 'mongorestore'): Promise<string> {
  const { stdout } = await host.read`if command -v ${program} > /dev/null; then ${program} --version; fi`
  if (stdout.trim() === '') throw missingProgram(host.name, program)
  const version = /version: r?(\d+(?:\.\d+)*)/.exec(stdout)?.[1] ?? ''
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return version
  throw new TaskError(
    `${program} on ${host.name} is ${version || 'of no version that it tells'}, and cannot be given a password unseen`,
    { next: `as root on ${host.name}: apt-get install mongodb-database-tools   # 100.3 or newer` },
  )
}
