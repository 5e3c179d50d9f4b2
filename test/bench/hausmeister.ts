import type { Way } from './way.ts'

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
