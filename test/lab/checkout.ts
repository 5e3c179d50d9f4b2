import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { execa } from 'execa'

import type { Lab } from './lab.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where hausmeister is on a machine that runs it by itself. */
export const checkout = '/opt/hausmeister'

/** A task that stands in for one of backup: it opens the store, and writes down in which surroundings it ran. */
function standIn(name: string): string {
  return `import { appendFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import * as z from 'zod'
import { backupOf, openStore, storeSecrets } from '../lib/backup/target.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'
export const task = defineTask({
  name: '${name}', summary: 'Stand in', details: '', examples: [], flags: z.object({}),
  preflight: ({ estate }) => ({ problems: [], secrets: storeSecrets(backupOf(estate)), reach: [] }),
  async run(session) {
    await openStore(session)
    const facts = { task: '${name}', user: userInfo().username, home: process.env['HOME'], flags: process.argv.slice(2) }
    await session.changeHere('write down', () => appendFile('ran', JSON.stringify(facts) + '\\n'))
  },
})
await runIfMain(import.meta, task)
`
}

/**
 * Puts node and hausmeister on a machine, as their user's own.
 * @param tasks `stand-ins`: of the tasks of backup, where what is tried is that they are run
 */
export async function placeCheckout(
  lab: Lab,
  host: string,
  user: string,
  tasks: 'stand-ins' | 'real' = 'stand-ins',
): Promise<void> {
  await removeCheckout(lab, host)
  await lab.sh(host, `install -d -o ${user} -g ${user} ${checkout} ${checkout}/tasks`)
  const modules = await execa('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: root,
    reject: false,
  })
  const folders = modules.stdout.split('\n').flatMap((path) => {
    const name = path.startsWith(root) ? path.slice(root.length) : ''
    // Those inside of others come with them.
    return name.startsWith('node_modules/') && !name.slice(1).includes('/node_modules/') ? [name] : []
  })
  const node = process.execPath
  const pack = [
    '-C',
    root,
    '-c',
    'lib',
    ...(tasks === 'real' ? ['tasks'] : []),
    'package.json',
    'tsconfig.json',
    // What is installed: a bundle is made of it.
    'node_modules/.package-lock.json',
    ...folders,
    '-C',
    dirname(node),
    'node',
  ]
  await execa('tar', pack, { encoding: 'buffer', buffer: false }).pipe(
    lab.controller('ssh', ['-F', lab.files.sshConfig, host, `tar -x -C ${checkout}`]),
  )
  await lab.sh(host, `ln -s ${checkout}/node /usr/local/bin/node`)
  for (const name of tasks === 'real' ? [] : ['backup-now', 'backup-verify', 'backup-prune']) {
    await lab.sh(host, `cat > ${checkout}/tasks/${name}.ts`, { input: standIn(name) })
  }
  const env = await readFile(lab.files.env, 'utf8')
  const input = env
    .split('\n')
    .filter((line) => tasks === 'real' || line.startsWith('BACKUP_'))
    .join('\n')
  await lab.sh(host, `umask 077; cat > ${checkout}/.env; chown ${user}: ${checkout}/.env`, { input })
}

export async function removeCheckout(lab: Lab, host: string): Promise<void> {
  await lab.sh(host, `rm -rf ${checkout}; rm -f /usr/local/bin/node`)
}

/** What ran there, the latest last. */
export async function ran(lab: Lab, host: string): Promise<Record<string, unknown>[]> {
  const { stdout } = await lab.sh(host, `cat ${join(checkout, 'ran')} 2> /dev/null || true`)
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
}
