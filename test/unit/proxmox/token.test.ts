import { randomUUID } from 'node:crypto'

import { expect, test } from 'vitest'

import { parseToken } from '../../../lib/proxmox/token.ts'

const secret = randomUUID()

test.each([
  [`hausmeister@pve!tasks=${secret}`, 'hausmeister@pve!tasks'],
  [`hausmeister@pbs!tasks:${secret}`, 'hausmeister@pbs!tasks'],
  [` anna.b@my-realm!a_1=${secret}\n`, 'anna.b@my-realm!a_1'],
])('%j', (text, id) => {
  expect(parseToken(text, 'PVE_TOKEN')).toEqual({ id, secret })
})

test.each([
  secret,
  `root@pam=${secret}`,
  'root@pam!x',
  `root!x=${secret}`,
  '',
  `PVEAPIToken=root@pam!x=${secret}=`,
])('what is no token is refused, and not repeated', (text) => {
  expect(() => parseToken(text, 'PVE_TOKEN')).toThrow('PVE_TOKEN is no API token')
  try {
    parseToken(text, 'PVE_TOKEN')
  } catch (error) {
    expect(String(error)).not.toContain(secret)
  }
})
