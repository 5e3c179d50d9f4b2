import { expect, test } from 'vitest'

import {
  accessLines,
  blockLines,
  type HbaRule,
  hbaName,
  ownWayIn,
  ruleFor,
  withBlock,
} from '../../../lib/postgres/hba.ts'
import { setupTarget } from '../../../lib/postgres/setup/target.ts'
import { failure } from '../doubles.ts'
import { shopEstate } from './reset/shop.ts'

/** As Debian's initdb leaves it, without its explanations. */
const stock = `# Database administrative login by Unix domain socket
local   all             postgres                                peer

# TYPE  DATABASE        USER            ADDRESS                 METHOD
local   all             all                                     peer
# IPv4 local connections:
host    all             all             127.0.0.1/32            scram-sha-256
local   replication     all                                     peer
`

const where = 'pg_hba.conf on pg-1'

test('rules come from networks, hosts with all their addresses, and ranges', async () => {
  const estate = await shopEstate({
    'networks/v6': { cidr: '2001:db8::/64' },
    'hosts/vm-app': { addresses: { lan: '192.0.2.4', v6: '2001:db8::4' } },
    'postgres/main/roles/standby': {},
    'postgres/main/replication': 'standby',
    'postgres/main/access': [
      { role: 'shop_app', database: 'shop', from: 'vm-app' },
      { role: 'shop_app', database: 'shop_shadow', from: 'lan' },
      { role: 'shop_app', database: 'all', from: '198.51.100.0/24' },
    ],
  })
  const lines = accessLines(estate, setupTarget(estate, 'main').cluster)
  expect(lines.map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
    'host shop shop_app 192.0.2.4/32 scram-sha-256 # vm-app',
    'host shop shop_app 2001:db8::4/128 scram-sha-256 # vm-app',
    'host shop_shadow shop_app 192.0.2.0/24 scram-sha-256 # lan',
    'host all shop_app 198.51.100.0/24 scram-sha-256',
    'host replication standby 192.0.2.1/32 scram-sha-256 # pg-1',
    'host postgres standby 192.0.2.1/32 scram-sha-256 # pg-1',
    'host replication standby 192.0.2.2/32 scram-sha-256 # pg-2',
    'host postgres standby 192.0.2.2/32 scram-sha-256 # pg-2',
  ])
})

test('a name that could mean something else is quoted', () => {
  expect(
    ['shop', 'all', 'replication', '+staff', '/^a', '@file', 'a b', 'a,b', 'a"b', 'Ä'].map(hbaName),
  ).toEqual([
    'shop',
    '"all"',
    '"replication"',
    '"+staff"',
    '"/^a"',
    '"@file"',
    '"a b"',
    '"a,b"',
    '"a""b"',
    '"Ä"',
  ])
})

test('a new block stands behind our own way in and before the first line for TCP', () => {
  const lines = withBlock(stock, ['host a'], where).split('\n')
  expect(lines.slice(3, 9)).toEqual([
    expect.stringMatching(/^# TYPE/),
    expect.stringMatching(/^local +all +all/),
    expect.stringMatching(/^# BEGIN hausmeister/),
    'host a',
    '# END hausmeister',
    '# IPv4 local connections:',
  ])
})

test('a line for TCP above our own way in stays above the block', () => {
  const odd = `host all all 0.0.0.0/0 reject\n${stock}`
  const lines = withBlock(odd, ['host a'], where).split('\n')
  expect(lines.indexOf('host a')).toBeGreaterThan(lines.findIndex((line) => /postgres +peer/.test(line)))
})

test('the block is replaced where it stands, and nothing else is touched', () => {
  const first = withBlock(stock, ['host a'], where)
  const moved = `${first}host all all 192.0.2.77/32 md5 # by hand`
  const second = withBlock(moved, ['host b', 'host c'], where)
  expect(second).toBe(
    `${first.replace('host a', 'host b\nhost c')}host all all 192.0.2.77/32 md5 # by hand\n`,
  )
  expect(withBlock(second, ['host b', 'host c'], where)).toBe(second)
  expect(blockLines(second, where)).toEqual({ from: 6, to: 9 })
})

test('an empty file gets the block alone, and rules that are gone leave an empty block', () => {
  expect(withBlock('', [], where)).toMatch(/^# BEGIN [^\n]*\n# END hausmeister\n$/)
})

test.each([
  ['no end', (text: string) => text.replace('# END hausmeister\n', '')],
  ['no beginning', (text: string) => text.replace(/# BEGIN.*\n/, '')],
  ['two of them', (text: string) => text + text],
  ['the wrong way round', () => '# END hausmeister\n# BEGIN hausmeister\n'],
])('a damaged block is refused: %s', async (_, damage) => {
  const damaged = damage(withBlock(stock, ['host a'], where))
  const error = await failure(Promise.resolve().then(() => withBlock(damaged, ['host b'], where)))
  expect(error.message).toMatch(/the block of hausmeister in pg_hba.conf on pg-1 is damaged: .*line \d/)
})

function rule(type: string, database: string[], user: string[], rest: Partial<HbaRule> = {}): HbaRule {
  const none = { address: null, netmask: null, method: 'peer', error: null }
  return { line: 1, type, database, user, ...none, ...rest }
}

test('our own way in is the first line that postgres meets at the local socket', () => {
  const rules = [
    rule('host', ['all'], ['all']),
    rule('local', ['shop'], ['all']),
    rule('local', ['all'], ['all'], { line: 3 }),
  ]
  expect(ownWayIn(rules)?.line).toBe(3)
  expect(ownWayIn(rules.slice(0, 2))).toBeUndefined()
})

test('the line that a client meets is found by role, database and address', () => {
  const v4 = { address: '192.0.2.0', netmask: '255.255.255.0' }
  const v6 = { address: '2001:db8::', netmask: 'ffff:ffff:ffff:ffff::' }
  const rules = [
    rule('local', ['all'], ['all'], { line: 1 }),
    rule('host', ['shop'], ['other'], { line: 2, ...v4 }),
    rule('host', ['shop'], ['app'], { line: 3, ...v4 }),
    rule('host', ['all'], ['all'], { line: 4, ...v6 }),
    rule('hostssl', ['all'], ['all'], { line: 5, address: 'all' }),
    rule('host', ['all'], ['app'], { line: 6, address: 'all' }),
  ]
  const meets = (database: string, role: string, address: string) =>
    ruleFor(rules, { database, role, address })?.line
  expect(meets('shop', 'app', '192.0.2.9')).toBe(3)
  expect(meets('shop', 'app', '2001:db8::9')).toBe(4)
  expect(meets('shop', 'app', '203.0.113.9')).toBe(6)
  expect(meets('shop', 'other', '203.0.113.9')).toBeUndefined()
})
