import { expect, test } from 'vitest'

import { passwordsOf, serversOf, withPassword, withServers } from '../../../lib/app/urls.ts'

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

const env = `# DATABASE_URL=postgresql://app:x@10.0.0.1:5432/db
DATABASE_URL="postgresql://app:10.0.0.1@10.0.0.1:5432/db?schema=a"
export DIRECT_URL=postgres://app:x@PG-1/db # was 10.0.0.1
V6='postgresql://app:x@[fd00::1]:5432/db'
BOTH=postgresql://app:x@10.0.0.1:5432,10.0.0.2:5432/db?target_session_attrs=read-write
CACHE=redis://10.0.0.1:6379
OPEN=postgresql://10.0.0.1
`

test('the servers that variables name, by the port that a client takes', () => {
  expect(serversOf(env)).toEqual([
    { variable: 'DATABASE_URL', host: '10.0.0.1', port: 5432 },
    { variable: 'DIRECT_URL', host: 'pg-1', port: 5432 },
    { variable: 'V6', host: 'fd00::1', port: 5432 },
    { variable: 'OPEN', host: '10.0.0.1', port: 5432 },
  ])
})

test('another server takes its place, and password, port, comments and all else stay', () => {
  expect(
    withServers(env, ({ host }) => (host === '10.0.0.1' ? 'fd00::2' : host === 'pg-1' ? 'b' : undefined)),
  ).toBe(`# DATABASE_URL=postgresql://app:x@10.0.0.1:5432/db
DATABASE_URL="postgresql://app:10.0.0.1@[fd00::2]:5432/db?schema=a"
export DIRECT_URL=postgres://app:x@b/db # was 10.0.0.1
V6='postgresql://app:x@[fd00::1]:5432/db'
BOTH=postgresql://app:x@10.0.0.1:5432,10.0.0.2:5432/db?target_session_attrs=read-write
CACHE=redis://10.0.0.1:6379
OPEN=postgresql://[fd00::2]
`)
})

test('a password that replacement patterns would spoil', () => {
  expect(withServers('A=postgres://u:$&$1@h/d', () => 'i')).toBe('A=postgres://u:$&$1@i/d')
})
