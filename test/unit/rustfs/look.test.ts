import { describe, expect, test } from 'vitest'

import { lookAt } from '../../../lib/rustfs/look.ts'
import { marked } from '../../../lib/rustfs/mark.ts'
import { checkPort } from '../../../lib/rustfs/port.ts'
import { stackOf } from '../../../lib/rustfs/runtime.ts'
import type { Call } from '../doubles.ts'
import { failure } from '../doubles.ts'
import { storeOn } from './sample.ts'

const labels = (estate: string, stack = '') => ({ 'hausmeister.estate': estate, 'hausmeister.stack': stack })

/** What a machine answers, by what it is asked. */
function machine({
  container,
  data = '',
  files = {},
  inspect = 1,
  complaint = 'Error: no such container hausmeister-test-store',
}: {
  container?: { running: boolean; labels: Record<string, string>; env: string[] }
  data?: string
  files?: Record<string, string>
  inspect?: number
  complaint?: string
}) {
  return ({ script, say, complain }: Call): number => {
    if (script.includes('inspect --type container')) {
      if (!container) {
        complain(complaint)
        return inspect
      }
      const { running, labels: Labels, env: Env } = container
      say(JSON.stringify([{ State: { Running: running }, Config: { Env, Labels } }]))
    } else if (script.includes('stat -Lc %u')) say(data)
    else {
      const [, path = ''] = /cat -- (\S+);/.exec(script) ?? []
      const text = files[path]
      if (text !== undefined) say(`there\n${text}`)
    }
    return 0
  }
}

async function look(options: Parameters<typeof machine>[0]) {
  const { server } = storeOn(machine(options))
  return lookAt(server, stackOf(server))
}

const { print, path } = stackOf(storeOn(() => 0).server)
const keys = marked('RUSTFS_ACCESS_KEY=a\nRUSTFS_SECRET_KEY=b\n')
const env = ['PATH=/usr/bin', 'RUSTFS_ACCESS_KEY=a', 'RUSTFS_SECRET_KEY=b']

describe('what is there', () => {
  test('nothing', async () => {
    expect(await look({})).toEqual({
      isCurrent: false,
      isRunning: false,
      hasContainer: false,
      hasImage: true,
      dataOwner: undefined,
      keys: {},
      files: [],
    })
  })

  test.each([
    ['as it should be', print, env, true],
    ['of an older file', 'other', env, false],
    ['with other keys', print, env.slice(0, 2), false],
  ])('a container %s', async (_, stack, has, isCurrent) => {
    const container = { running: true, labels: labels('test', stack), env: has }
    const found = await look({
      container,
      data: '10001\n.rustfs.sys\n',
      files: { '/srv/store/store.env': keys },
    })
    expect(found).toMatchObject({
      isCurrent,
      dataOwner: 10_001,
      keys: { RUSTFS_ACCESS_KEY: 'a', RUSTFS_SECRET_KEY: 'b' },
      files: ['/srv/store/store.env'],
    })
  })
})

test.each([
  ['no podman', { inspect: 127 }, /there is no podman on keep/],
  ['no answer', { complaint: 'cannot connect' }, /podman on keep does not answer: cannot connect/],
  [
    "another estate's",
    { container: { running: true, labels: labels('other'), env: [] } },
    /hausmeister-test-store on keep is not of hausmeister for test: it is left alone/,
  ],
  ['a unit by hand', { files: { [path]: '[Unit]\n' } }, /store\.service on keep was changed by hand/],
  ["somebody's files", { data: '0\nletters\n' }, /\/srv\/store\/data on keep has letters, and is not of/],
])('%s is refused', async (_, options, message) => {
  expect((await failure(look(options))).message).toMatch(message)
})

test('keys that were changed by hand are told by name alone', async () => {
  const files = { '/srv/store/store.env': keys.replace('=b', '=mine') }
  const error = await failure(look({ files }))
  expect(error.message).toMatch(/store\.env on keep was changed by hand/)
  expect(JSON.stringify(error)).not.toContain('mine')
})

describe('the port', () => {
  const by = 'users:(("python3",pid=1,fd=3))'
  test.each([
    [
      `LISTEN 0 5 0.0.0.0:9000 0.0.0.0:* ${by}`,
      /port 9000 of keep is taken by python3: it listens on 0\.0\.0\.0:9000/,
    ],
    ['LISTEN 0 5 192.0.2.9:9000 0.0.0.0:*', /port 9000 of keep is taken: it listens on 192/],
    [`LISTEN 0 5 *:9000 *:* ${by}`, /taken by python3/],
  ])('%s', async (line, message) => {
    const { server } = storeOn(({ say }) => (say(`${line}\n`), 0))
    expect((await failure(checkPort(server))).message).toMatch(message)
  })

  test.each(['', 'LISTEN 0 5 127.0.0.1:9000 0.0.0.0:*\n'])('%j is free', async (text) => {
    const { server } = storeOn(({ say }) => (say(text), 0))
    await expect(checkPort(server)).resolves.toBeUndefined()
  })
})
