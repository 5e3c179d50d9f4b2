import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from '../../lib/start/build.mjs'
import type { Way } from './way.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = 'test/bench/on-all-hosts.ts'

export const insideTitle = '… of it without start-up'

export const byNpx: Way = {
  title: 'hausmeister, `npx tsx`',
  needs: [],
  async ask(desk, count) {
    const { ms } = await desk.run(['npx', 'tsx', script, desk.lab.files.inventory, String(count)])
    return { [byNpx.title]: ms }
  },
}

export const byNode: Way = {
  title: 'hausmeister, `node --import tsx`',
  needs: [],
  async ask(desk, count) {
    const node = [process.execPath, '--import', 'tsx']
    const { ms, output } = await desk.run([...node, script, desk.lab.files.inventory, String(count)])
    return { [byNode.title]: ms, [insideTitle]: Number(output) }
  },
}

const bundle = join(root, 'node_modules/.cache/hausmeister-bench')

/** Out of a bundle, as tasks are in the fast form; whether that is fresh is looked at for tasks only. */
export const byBundle: Way = {
  title: 'hausmeister, bundled',
  needs: [],
  prepare: () => build(root, [script], bundle),
  async ask(desk, count) {
    const command = [process.execPath, join(bundle, 'on-all-hosts.mjs')]
    const { ms } = await desk.run([...command, desk.lab.files.inventory, String(count)])
    return { [byBundle.title]: ms }
  },
  finish: () => rm(bundle, { recursive: true, force: true }),
}
