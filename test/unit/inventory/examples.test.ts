import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parse } from 'dotenv'
import { describe, expect, test } from 'vitest'

import { loadEstate } from '../../../lib/inventory/load.ts'
import { parseInventory } from '../../../lib/inventory/parse.ts'
import { secretName, secretRefs } from '../../../lib/inventory/secrets.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.json'))
const files = ['inventory.json', ...examples.map((name) => `examples/${name}`)]

test('there is one example for each of the other estates', () => {
  expect(examples).toEqual(['ha-web.json', 'next-go-pg.json', 'rezept-tagebuch.json'])
})

describe.each(files)('%s', (name) => {
  const path = join(root, name)

  test('is valid', async () => {
    await expect(loadEstate(path, {})).resolves.toMatchObject({ file: path })
  })

  test('names the schema for editors', () => {
    const { $schema } = JSON.parse(readFileSync(path, 'utf8'))
    expect(resolve(dirname(path), $schema)).toBe(join(root, 'inventory.schema.json'))
  })
})

test('the example in docs/inventory.md is valid', async () => {
  const [, json] = /```json\n(.*?)```/s.exec(readFileSync(join(root, 'docs/inventory.md'), 'utf8')) ?? []
  await expect(parseInventory(json ?? '', 'docs/inventory.md')).resolves.toMatchObject({ estate: 'shop' })
})

test('.env.example has the variables of inventory.json, each empty and with a comment', async () => {
  const inventory = await parseInventory(readFileSync(join(root, 'inventory.json'), 'utf8'), 'inventory.json')
  const text = readFileSync(join(root, '.env.example'), 'utf8')
  const values = parse(text)
  expect(Object.keys(values).toSorted()).toEqual(secretRefs(inventory).map(secretName).toSorted())
  for (const [name, value] of Object.entries(values)) {
    expect(value).toBe('')
    expect(text).toMatch(new RegExp(`\\n# .+\\n${name}=`))
  }
})

describe('Weltenwind', () => {
  test('the app reaches its database by the internal network, the workstation logs in by the LAN', async () => {
    const estate = await loadEstate(join(root, 'inventory.json'), {})
    const { clusterName, database, name } = estate.findDatabase('weltenwind')
    expect(database).toEqual({ owner: 'ww_app', shadow: 'weltenwind_shadow', environment: 'development' })
    const [user] = estate.appsUsing(clusterName, name)
    expect(user?.app.host).toBe('vm-app')
    expect(estate.addressBetween('vm-app', 'pg-primary')).toBe('10.10.10.11')
    expect(estate.addressOf('pg-primary')).toBe('192.168.2.11')
  })
})
