import { readFile } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem, type } from 'node:os'

/** What the numbers were measured on, without what would name the machine. */
export async function describeMachine(): Promise<string> {
  const cores = cpus()
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(osRelease)?.[1] ?? type()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return `${cores.length} × ${cores[0]?.model.trim() ?? 'CPU'}, ${memory}, ${system}, kernel ${release()}, Node ${process.versions.node}`
}

/** Mean number of processes that want to run, over the last minute. */
export function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1)
}
