import { expect, test } from 'vitest'

import { passwordsOf, withPassword } from '../../../lib/app/urls.ts'

const text = `# postgresql://app@h/db has none
A="postgresql://app:old@h:5432/db?schema=a"
B=postgres://app:o%6Cd@h/db,postgres://other:old@h/db
C=redis://app:old@h
D='postgresql://a%70p:x@h/db'
`

test('a role gets another password in its own PostgreSQL URLs only', () => {
  expect(withPassword(text, 'app', 'n/w')).toBe(`# postgresql://app@h/db has none
A="postgresql://app:n%2Fw@h:5432/db?schema=a"
B=postgres://app:n%2Fw@h/db,postgres://other:old@h/db
C=redis://app:old@h
D='postgresql://a%70p:n%2Fw@h/db'
`)
})

test('the passwords that it has', () => {
  expect(passwordsOf(text, 'app')).toEqual(['old', 'x'])
  expect(passwordsOf(text, 'nobody')).toEqual([])
})
