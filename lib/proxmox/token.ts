import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'

/** An API token of Proxmox VE or Proxmox Backup Server. */
export interface Token {
  /** `user@realm!name`, which is no secret. */
  id: string
  secret: string
}

/**
 * Proxmox VE writes a token as `user@realm!name=secret`, the backup server with ":" before the secret: both are taken.
 * @param variable where it was found; what is in it is not repeated
 */
export function parseToken(text: string, variable: string): Token {
  const [, id, secret] = /^([^\s@!]+@[^\s!]+![\w.-]+)[=:]([^\s=:]+)$/.exec(text.trim()) ?? []
  if (id !== undefined && secret !== undefined) return { id, secret }
  throw new TaskError(`${variable} is no API token: user@realm!name=secret is expected`, {
    code: exitCode.usage,
    next: 'write both of what Proxmox shows when a token is made: its ID, "=", and its secret',
  })
}
