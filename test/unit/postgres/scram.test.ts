import { expect, test } from 'vitest'

import { isOf, isVerifier, makeVerifier } from '../../../lib/postgres/scram.ts'

/** The password, salt and keys of RFC 7677, 3: what a client there proves was made from these. */
test('the keys of the RFC', async () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  expect(await makeVerifier('pencil', salt)).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
})

test('two of one password differ, and both are verifiers', async () => {
  const [one, two] = await Promise.all([makeVerifier('x'), makeVerifier('x')])
  expect(one).not.toBe(two)
  expect(isVerifier(one)).toBe(true)
})

test.each(['md5' + 'a'.repeat(32), 'clear', 'SCRAM-SHA-256$4096:salt'])('%s is none', (text) => {
  expect(isVerifier(text)).toBe(false)
})

test('other letters would need SASLprep', async () => {
  await expect(makeVerifier('pässword')).rejects.toThrow('printable ASCII')
})

test('a verifier is of one password', async () => {
  const verifier = await makeVerifier('right', undefined, 1000)
  expect(await isOf('right', verifier)).toBe(true)
  expect(await isOf('wrong', verifier)).toBe(false)
  expect(await isOf('right', 'md5')).toBe(false)
})
