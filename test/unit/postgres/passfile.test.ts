import { expect, test } from 'vitest'

import { rolePasswords, withRolePassword } from '../../../lib/postgres/passfile.ts'

const text = String.raw`# *:*:*:rep:comment
*:*:*:rep:old
h\:1:5432:replication:rep:o\:l\\d
*:*:*:other:old
`

test('a role gets another password, the rest stays', () => {
  expect(withRolePassword(text, 'rep', 'n:w')).toBe(String.raw`# *:*:*:rep:comment
*:*:*:rep:n\:w
h\:1:5432:replication:rep:n\:w
*:*:*:other:old
`)
})

test('the passwords that it has', () => {
  expect(rolePasswords(text, 'rep')).toEqual(['old', String.raw`o:l\d`])
})
