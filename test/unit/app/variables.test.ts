import { expect, test } from 'vitest'

import { variablePasswords, withVariable } from '../../../lib/app/variables.ts'

const text = `POSTGRES_PASSWORD=seaser
export PGPASSWORD="seaser"   # by hand
SHOP_DB_PASS='seaser'
DB_PASSWORD=seaser-2
ADMIN_PASSWORD=seaser
REDIS_PASSWORD=seaser
#PGPASSWORD=seaser
POSTGRES_HOST=seaser
`

test('what is named for a password of PostgreSQL and holds the old one, and nothing else', () => {
  expect(withVariable(text, 'rezepte', 'seaser', 'new')).toBe(`POSTGRES_PASSWORD=new
export PGPASSWORD="new"   # by hand
SHOP_DB_PASS='new'
DB_PASSWORD=seaser-2
ADMIN_PASSWORD=seaser
REDIS_PASSWORD=seaser
#PGPASSWORD=seaser
POSTGRES_HOST=seaser
`)
  expect(variablePasswords(text, 'rezepte', ['seaser', 'new'])).toEqual(['seaser'])
  expect(variablePasswords(text, 'rezepte', ['other'])).toEqual([])
})

test.each([
  ['DB_USER=report\nDB_PASSWORD=seaser\n'],
  ['DB_PASSWORD=seaser\nDB_USERNAME="report"\n'],
  ['PGUSER=report\nPGPASSWORD=seaser\n'],
])('not beside the name of another role: %j', (other) => {
  expect(withVariable(other, 'rezepte', 'seaser', 'new')).toBe(other)
  expect(variablePasswords(other, 'rezepte', ['seaser'])).toEqual([])
  const own = other.replace('report', 'rezepte')
  expect(withVariable(own, 'rezepte', 'seaser', 'new')).toBe(own.replace('seaser', 'new'))
})

test('lines that end as on Windows', () => {
  expect(withVariable('DB_PASSWORD=a\r\nX=1\r\n', 'app', 'a', 'b')).toBe('DB_PASSWORD=b\r\nX=1\r\n')
})
