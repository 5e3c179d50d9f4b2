import { randomBytes } from 'node:crypto'

import { expect, test } from 'vitest'

import { changed, complaints } from '../sample.ts'

test.each(['migrate', 'seed', 'envFile'])(
  'a password inside a URL in "%s" is refused and not repeated',
  async (field) => {
    const secret = randomBytes(12).toString('hex')
    const found = await complaints(
      changed(`apps/shop/${field}`, `DATABASE_URL=postgres://app:${secret}@db/shop run`),
    )
    expect(found).toEqual([
      `apps.shop.${field}: a password stands in this URL | Move it to the .env file; a command finds it in a variable of the machine that it runs on`,
    ])
  },
)

test.each([
  'postgres://app:$PASSWORD@db/shop',
  'postgres://app:${PASSWORD}@db/shop',
  'http://10.0.0.3:3000/a@b',
  'postgres://app@db/shop',
])('%s holds none', async (text) => {
  expect(await complaints(changed('apps/shop/migrate', text))).toEqual([])
})

test.each([
  ['{ "estate": "x", "hosts": { "__proto__": {} } }', 'hosts.__proto__'],
  ['{ "estate": "x", "__proto__": { "hosts": 1 } }', '__proto__'],
  [
    '{ "estate": "x", "hosts": { "a": { "addresses": { "__proto__": "192.0.2.1" } } } }',
    'hosts.a.addresses.__proto__',
  ],
])('%s', async (text, path) => {
  expect(await complaints(text)).toContain(`${path}: "__proto__" cannot be a name`)
})
