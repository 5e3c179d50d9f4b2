import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { canonicalAddress, parseCidr } from '../../../lib/inventory/addresses.ts'

test.each([
  '10',
  '10.0.0.0',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/08',
  '10.0.0.0/',
  '/8',
  '10.0.0/24',
  '0x0a.0.0.0/8',
  '::/129',
  'fe80::%eth0/64',
  '10.0.0.0/8/8',
  '',
])('%j is no range', (text) => {
  expect(parseCidr(text)).toBeUndefined()
})

test('host bits are noticed, and the network told', () => {
  expect(parseCidr('192.0.2.77/26')).toMatchObject({ isNetwork: false, network: '192.0.2.64/26' })
  expect(parseCidr('2001:db8::1/64')).toMatchObject({ isNetwork: false, network: '2001:db8::/64' })
  expect(parseCidr('0.0.0.0/0')).toMatchObject({ isNetwork: true })
})

test('the two families never contain each other', () => {
  expect(parseCidr('0.0.0.0/0')?.contains('::1')).toBe(false)
  expect(parseCidr('::/0')?.contains('192.0.2.1')).toBe(false)
})

test('an IPv4 range contains exactly the addresses whose first bits are its own', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.nat(32), fc.ipV4(), fc.boolean(), (base, prefix, other, near) => {
      const address = near ? base.replace(/\d+$/, other.split('.')[3] ?? '0') : other
      const expected = bits(base).slice(0, prefix) === bits(address).slice(0, prefix)
      expect(parseCidr(`${base}/${prefix}`)?.contains(address)).toBe(expected)
    }),
  )
})

test('spellings of one address are one', () => {
  expect(canonicalAddress('2001:DB8:0::1')).toBe(canonicalAddress('2001:db8::1'))
  expect(canonicalAddress('192.0.2.1')).toBe('192.0.2.1')
})

function bits(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(2).padStart(8, '0'))
  return bytes.join('')
}
