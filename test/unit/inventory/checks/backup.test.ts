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
])('backup/%s = %j', async (path, value, expected) => {
  const found = await complaints(changed(`backup/${path}`, value))
  expect(found).toEqual(expected.map((line) => `backup.${line}`))
})
