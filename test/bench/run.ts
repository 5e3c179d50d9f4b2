/**
 * `npm run bench`: how long tasks take to start, and to ask ten hosts, against other ways to do the same.
 * Prints Markdown on stdout. docs/benchmark.md says how it is measured.
 */
import { whyNoLab } from '../lab/packages.ts'
import { backUpSection } from './back-up.ts'
import { setUpAgainSection } from './set-up-again.ts'
import { startUpSection } from './start-up.ts'
import { tenHostsSection } from './ten-hosts.ts'
import { describeMachine, load } from './this-machine.ts'

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  // Not `once`: execa would see that nobody else listens, and end the process before the lab is down.
  process.on(name, () => stop.abort(new Error(`stopped by ${name}`)))
}

try {
  await bench()
} catch (error) {
  const reason: unknown = stop.signal.aborted ? stop.signal.reason : error
  process.stderr.write(`bench: ${reason instanceof Error ? reason.message : String(reason)}\n`)
  process.exitCode = stop.signal.aborted ? 130 : 1
}

async function bench(): Promise<void> {
  const before = load()
  print(`${new Date().toISOString().slice(0, 10)}, ${await describeMachine()}`)
  say('start-up')
  print(await startUpSection(stop.signal))
  const reason = process.env['LAB'] === '0' ? 'LAB=0' : await whyNoLab()
  print(
    reason === undefined ? await tenHostsSection(stop.signal, say) : `Ten hosts: not measured, ${reason}.`,
  )
  if (reason === undefined) print(await setUpAgainSection(stop.signal, say))
  if (reason === undefined) print(await backUpSection(stop.signal, say))
  print(`Load of the machine: ${before} before, ${load()} after.`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n\n`)
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`)
}
