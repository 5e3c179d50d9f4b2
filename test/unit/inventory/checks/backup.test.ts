import { expect, test } from 'vitest'

import { changed, complaints } from '../sample.ts'

test.each([
  ['databases/0', 'shpo', ['databases[0]: no cluster has a database "shpo" | Did you mean "shop"?']],
  [
    'databases/0',
    'both',
    ['databases[0]: 2 clusters have a database "both" | Say which one: main/both or managed/both'],
  ],
  ['databases/0', 'managed/both', []],
  ['databases/0', 'rs0/cart', []],
  ['scratch', 'mian', ['scratch: no cluster under "postgres" is called "mian" | Did you mean "main"?']],
  ['folders/0/host', 'webb', ['folders[0].host: no host is called "webb" | Did you mean "web"?']],
  ['schedule/host', 'webb', ['schedule.host: no host is called "webb" | Did you mean "web"?']],
  ['schedule/backup', 'Fri 23:59', []],
  [
    'schedule/backup',
    '24:00',
    ['schedule.backup: is no time such as 02:30 (each day) or Sun 04:00 (each week)'],
  ],
  [
    'checks',
    { shpo: ['select true'] },
    ['checks.shpo: no cluster has a database "shpo" | Did you mean "shop"?'],
  ],
  ['checks', { cart: ['select true'] }, ['checks.cart: checks are SQL, and "cart" is a database of MongoDB']],
  [
    'recipients/0',
    'AGE-SECRET-KEY-1EXAMPLE',
    [
      'recipients[0]: is no age recipient; `age-keygen` prints one that starts with age1, and its AGE-SECRET-KEY never stands here',
    ],
  ],
  [
    'store/bucket',
    'My_Bucket',
    ['store.bucket: a bucket is named with 3 to 63 small letters, digits, "." and "-"'],
  ],
  ['store/server/host', 'keeep', ['store.server.host: no host is called "keeep" | Did you mean "keep"?']],
  [
    'store/server/host',
    'web',
    [
      'store.endpoint: 192.0.2.9 is no address of "web", on which the store is to listen | Its addresses: 10.0.0.3, 2001:db8::3',
    ],
  ],
  [
    'store/endpoint',
    'https://192.0.2.9:9000',
    ['store.endpoint: the store of backup.store.server is at http://ADDRESS:PORT, and speaks no TLS'],
  ],
  [
    'store/endpoint',
    'http://keep.example:9000',
    [
      'store.endpoint: keep.example is no address of "keep", on which the store is to listen | Its addresses: 192.0.2.9',
    ],
  ],
  [
    'store/server/directory',
    '/srv/my store',
    [
      'store.server.directory: is no full path of letters, digits, "_", "." and "-", such as /srv/backup-store',
    ],
  ],
  [
    'store/server/image',
    'rustfs/rustfs',
    ['store.server.image: is no image with a tag, such as docker.io/rustfs/rustfs:1.0.0-rc.3'],
  ],
  [
    'store/server/image',
    'rustfs/rustfs:latest',
    ['store.server.image: names no version: "latest" is another one tomorrow'],
  ],
  ['store/server', { host: 'keep', runtime: 'compose', directory: '/srv/store' }, []],
])('backup/%s = %j', async (path, value, expected) => {
  const found = await complaints(changed(`backup/${path}`, value))
  expect(found).toEqual(expected.map((line) => `backup.${line}`))
})
