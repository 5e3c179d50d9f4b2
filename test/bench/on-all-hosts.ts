/**
 * Asks every host of an inventory the first COUNT commands of the list: all hosts at once, on each of them
 * one command after the other, as a task does. Prints how long it took from its first line to the last
 * farewell, in milliseconds; what comes before is the start of Node and tsx.
 *
 *   npx tsx test/bench/on-all-hosts.ts INVENTORY COUNT
 */
import type { Run } from '../../lib/host/events.ts'
import { Hosts } from '../../lib/host/hosts.ts'
import { loadEstate } from '../../lib/inventory/load.ts'
import { commands } from './commands.ts'

const [inventory = '', count = ''] = process.argv.slice(2)
const start = performance.now()
const estate = await loadEstate(inventory)
const { signal } = new AbortController()
const run: Run = {
  dryRun: true,
  signal: () => signal,
  onChange: () => {},
  atEnd: () => {},
  askSecret: async () => undefined,
  onSecret: () => {},
}
const hosts = new Hosts(estate, run)
const names = Object.keys(estate.hosts).filter((name) => !estate.host(name).local)
try {
  await Promise.all(names.map((name) => ask(name)))
} finally {
  await hosts.close()
}
process.stdout.write(`${performance.now() - start}\n`)

async function ask(name: string): Promise<void> {
  const host = await hosts.get(name)
  for (const command of commands.slice(0, Number(count))) {
    const { stdout } = await host.read`${command}`
    if (stdout === '') throw new Error(`${name}: ${command.join(' ')} said nothing`)
  }
}
