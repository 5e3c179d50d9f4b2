import { expect, test } from 'vitest'

import { readEnvFile } from '../../../lib/app/env-file.ts'
import { Hosts } from '../../../lib/host/hosts.ts'
import { RecordedRun, ScriptedMachine } from '../doubles.ts'
import { shopEstate } from '../postgres/reset/shop.ts'

async function read(changes: Record<string, unknown>, file: string | undefined) {
  const estate = await shopEstate(changes)
  const started: string[] = []
  const hosts = new Hosts(estate, new RecordedRun(), async (name) => {
    return new ScriptedMachine(name, ({ script, user, say }) => {
      started.push(`${user}: ${script}`)
      if (file !== undefined) say(`there\n${file}`)
      return 0
    })
  })
  return { settings: await readEnvFile(hosts, estate.app('shop')), started }
}

test('as its user, relative to the app’s folder; quotes and comments are those of a .env', async () => {
  const { settings, started } = await read(
    { 'apps/shop/envFile': '.env' },
    '# the shop\nDATABASE_URL="postgresql://a"\nexport MODE=dev\n',
  )
  expect(settings).toEqual({ DATABASE_URL: 'postgresql://a', MODE: 'dev' })
  expect(started).toEqual([expect.stringMatching(/^shop: .*cat -- \/srv\/shop\/\.env/)])
})

test('a path of its own stays what it is', async () => {
  const { started } = await read({ 'apps/shop/envFile': '/etc/shop.env' }, '')
  expect(started.join('')).toContain('cat -- /etc/shop.env')
})

test('no file, or none in the inventory', async () => {
  expect((await read({ 'apps/shop/envFile': '.env' }, undefined)).settings).toBeUndefined()
  const { settings, started } = await read({}, '')
  expect({ settings, started }).toEqual({ settings: undefined, started: [] })
})
