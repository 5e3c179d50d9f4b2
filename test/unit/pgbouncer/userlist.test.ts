import { assert, constantFrom, property, record, string, uniqueArray } from 'fast-check'
import { expect, test } from 'vitest'

import { readUsers, withUsers } from '../../../lib/pgbouncer/userlist.ts'

test('lines of others stay as they are, ours take the place of older ones', () => {
  const before = '; mine\n"a"  "1" ; why\n"b" "2"\n\n"a" "second"\n'
  const after = withUsers(before, [
    { name: 'a', password: 'new "one"' },
    { name: 'c', password: '3' },
  ])
  expect(after).toBe('; mine\n"a" "new ""one"""\n"b" "2"\n\n"c" "3"\n')
})

test('what was written is read again, and written once', () => {
  const text = string({ unit: constantFrom('a', '"', ' ', ';', '$', '=', 'ä') })
  assert(
    property(uniqueArray(record({ name: text, password: text }), { selector: (u) => u.name }), (users) => {
      const written = withUsers('', users)
      expect(readUsers(written)).toEqual(users)
      expect(withUsers(written, users)).toBe(written)
    }),
  )
})
