import { execa } from 'execa'

import { openLab } from './lab.ts'
import { placeOf } from './place.ts'
import { provisionPostgres } from './postgres.ts'
import { onController } from './shell.ts'

const usage = `npm run lab up [host ...]    boot the hosts (all ten), after clearing what an earlier run left
npm run lab down             end them; leave nothing but the cached tree
npm run lab status           hosts, power and cables
npm run lab ssh HOST [cmd]   as the operator, with the lab's key
npm run lab exec cmd ...     a command on the operator's workstation
npm run lab poweroff HOST    pull the plug        npm run lab poweron HOST   boot again
npm run lab cut HOST         packets vanish       npm run lab mend HOST      and flow again
npm run lab postgres         primary and standby of seed 000, with their databases
npm run lab tree             the hosts' base trees alone
Flags of a command go after --: npm run lab -- ssh pve ls -l`

const lab = openLab()
const place = placeOf()

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Ends as the command ended, so that `lab ssh` and `lab exec` can stand in scripts. */
async function onWorkstation(
  command: readonly string[],
  env?: Record<string, string | undefined>,
): Promise<void> {
  const [file, args] = onController(place, command)
  const { exitCode } = await execa(file, args, { stdio: 'inherit', reject: false, ...(env && { env }) })
  process.exitCode = exitCode ?? 1
}

async function up(hosts: readonly string[]): Promise<void> {
  await lab.up(hosts, say)
  say(`inventory ${lab.files.inventory}`)
}

async function status(): Promise<void> {
  if (!(await lab.record())) return say('the lab is down')
  for (const { name, power, cables } of await lab.status()) {
    say(`${name.padEnd(12)} ${power.padEnd(4)} ${cables === 'cut' ? 'cables cut' : ''}`.trimEnd())
  }
}

async function run([command = '', ...rest]: readonly string[]): Promise<void> {
  const [host] = rest
  if (command === 'up') return await up(rest)
  if (command === 'down') return await lab.down()
  if (command === 'status') return await status()
  if (command === 'tree') return say(Object.values(await lab.build(say)).join('\n'))
  if (command === 'postgres') return await provisionPostgres(lab)
  if (command === 'exec' && host) return await onWorkstation(rest, lab.operatorEnv)
  if (command === 'ssh' && host) return await onWorkstation(['ssh', '-F', lab.files.sshConfig, ...rest])
  if (command === 'poweroff' && host) return await lab.poweroff(host)
  if (command === 'poweron' && host) return await lab.poweron(host)
  if (command === 'cut' && host) return await lab.cut(host)
  if (command === 'mend' && host) return await lab.mend(host)
  process.stderr.write(`${usage}\n`)
  process.exitCode = 2
}

try {
  await run(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
