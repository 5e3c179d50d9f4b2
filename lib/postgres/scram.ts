import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

/** PostgreSQL's default of scram_iterations. */
const defaultIterations = 4096

/** How pg_authid keeps a password: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. */
const pattern = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}$/

export function isVerifier(stored: string): boolean {
  return pattern.test(stored)
}

/**
 * What the server keeps instead of a password (RFC 5802, 3), made here, so that the clear text reaches neither the
 * server nor its logs.
 *
 * @param password ASCII only: other text would have to go through SASLprep first, as the server does it
 */
export async function makeVerifier(
  password: string,
  salt = randomBytes(16),
  iterations = defaultIterations,
): Promise<string> {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new Error('a password of printable ASCII is expected')
  const salted = await promisify(pbkdf2)(password, salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const storedKey = createHash('sha256').update(clientKey).digest('base64')
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

/** Whether a verifier was made from this password. */
export async function isOf(password: string, verifier: string): Promise<boolean> {
  const [, iterations, salt] = pattern.exec(verifier) ?? []
  if (iterations === undefined || salt === undefined) return false
  return (await makeVerifier(password, Buffer.from(salt, 'base64'), Number(iterations))) === verifier
}
