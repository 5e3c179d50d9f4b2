import * as z from 'zod'

import { HostError } from '../host/errors.ts'
import { TaskError, type TaskErrorDetails } from '../task/errors.ts'

/** The API answered, and did not do what it was asked. */
export class ApiError extends TaskError {
  readonly status: number

  constructor(status: number, message: string, details: TaskErrorDetails = {}) {
    super(message, details)
    this.status = status
  }
}

/** Of Proxmox VE: `message` since version 8, before that only the status line has words; `errors` by parameter. */
const Refusal = z.object({
  message: z.string().optional(),
  errors: z.record(z.string(), z.string()).optional(),
})

export interface Refused {
  /** Of the API: `Proxmox VE home at https://192.0.2.10:8006`. */
  name: string
  tokenId: string
  /** The variable that has the token. */
  variable: string
  /** `GET /cluster/backup` */
  call: string
  status: number
  /** Of the status line. */
  reason: string
  body: string
}

/** What an answer that is none says, in words that name the API, the token and the next step. */
export function refusalOf(refused: Refused): Error {
  const { name, tokenId, variable, call, status } = refused
  const words = wordsOf(refused)
  const seen = `HTTP ${status} to ${call}: ${words}`
  if (status === 401) {
    return new ApiError(status, `${name} does not take the token ${tokenId}`, {
      seen,
      next: `it is unknown, expired or disabled, or its secret is another: look at it there, and set ${variable} anew`,
    })
  }
  if (status === 403) {
    return new ApiError(status, `${name} does not let ${tokenId} do this: ${words}`, {
      seen,
      next: 'docs/backup.md#backup-pbs lists the privileges that it needs; user and token each need them',
    })
  }
  // Of pveproxy, when it hands a call on to another node: connecting failed, or the handshake did.
  if (status === 595 || status === 596) {
    return new HostError(name, 'unreachable', `the node that this is for does not answer it: ${seen}`)
  }
  return new ApiError(status, `${name}: ${words}`, { seen })
}

function wordsOf({ status, reason, body }: Refused): string {
  const parsed = Refusal.safeParse(jsonOf(body))
  const { message, errors = {} } = parsed.success ? parsed.data : {}
  // The backup server answers with plain text.
  const text = message ?? (parsed.success ? reason : body)
  const named = Object.entries(errors).map(([name, why]) => `${name}: ${why.trim()}`)
  return [text.trim() || reason || `status ${status}`, ...named].join('; ')
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
