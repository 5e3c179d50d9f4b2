import { expect, test } from 'vitest'

import { isOurs } from '../../../lib/rustfs/mark.ts'
import { stackOf } from '../../../lib/rustfs/runtime.ts'
import { listenerOf } from '../../../lib/rustfs/server.ts'
import { storeOn } from './sample.ts'

const silent = () => 0

test.each(['podman', 'docker'] as const)('what starts it with %s', (runtime) => {
  const [one, other] = ['rustfs:1.0', 'rustfs:1.1'].map((image) =>
    stackOf(storeOn(silent, { runtime, image }).server),
  )
  expect(isOurs(one?.text ?? '')).toBe(true)
  expect(one?.text).toContain(one?.print)
  expect(one?.print).not.toBe(other?.print)
  expect(one?.text).toContain('192.0.2.9:9000:9000')
  // The console stays closed, and no key is in it.
  expect(one?.text).toMatch(/RUSTFS_CONSOLE_ENABLE(=|": ")false/)
  expect(one?.text).not.toMatch(/9001|_KEY/)
})

test('a compose file is YAML: JSON after the first line', () => {
  const { text } = stackOf(storeOn(silent, { runtime: 'docker' }).server)
  const { services } = JSON.parse(text.slice(text.indexOf('\n')))
  expect(services.store).toMatchObject({
    env_file: ['/srv/store/store.env'],
    volumes: [{ source: '/srv/store/data', target: '/data' }],
    restart: 'unless-stopped',
    pull_policy: 'never',
  })
})

test.each([
  ['http://192.0.2.9:9000', '192.0.2.9', 9000],
  ['http://192.0.2.9', '192.0.2.9', 80],
  ['http://[2001:db8::9]:9000/', '2001:db8::9', 9000],
])('%s listens on %s, port %i', (endpoint, address, port) => {
  expect(listenerOf(endpoint)).toEqual({ address, port })
})
