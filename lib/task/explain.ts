import { errorBehind, HostError } from '../host/errors.ts'
import { FlowError } from '../host/flow.ts'
import { EstateError } from '../inventory/errors.ts'
import { TaskError } from './errors.ts'
import { exitCode, type ExitCode } from './exit-code.ts'

const outputLines = 20

/** Turns what a machine or the inventory threw into what the operator reads; a bug stays what it is. */
export async function explain(error: unknown): Promise<unknown> {
  const foreseen = errorBehind(error, TaskError)
  if (foreseen) return foreseen
  const host = errorBehind(error, HostError)
  if (host) {
    return new TaskError(host.message, {
      code: codeOf(host),
      ...(host.next ? { next: host.next } : {}),
      cause: error,
    })
  }
  if (!(error instanceof Error)) return error
  const estate = errorBehind(error, EstateError)
  if (estate) {
    return new TaskError(estate.hint ? `${estate.message}. ${estate.hint}` : estate.message, {
      code: exitCode.usage,
      cause: error,
    })
  }
  // By name: this floor does not know the nouns above it.
  if (error.name === 'PostgresError') return new TaskError(error.message, { cause: error })
  const flow = errorBehind(error, FlowError)
  if (flow) return new TaskError(flow.message, { seen: flow.seen, cause: error })
  const { ProcessOutput } = await import('zx/core')
  if (!(error instanceof ProcessOutput)) return error
  // Nothing ended: something of ours broke while it was started.
  if (error.cause instanceof Error) return error.cause
  const { originOf } = await import('../host/shell.ts')
  const origin = originOf(error)
  const where = origin ? ` on ${origin.host} as ${origin.user}` : ''
  const how = error.signal ? `was ended by ${error.signal}` : `ended with exit code ${error.exitCode}`
  const command = origin?.command ?? 'a command'
  return new TaskError(`this${where} ${how}: ${command}`, { seen: lastLines(error.stdall), cause: error })
}

function codeOf({ failure }: HostError): ExitCode {
  if (failure === 'cancelled') return exitCode.cancelled
  return failure === 'timeout' ? exitCode.failed : exitCode.unreachable
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-outputLines).join('\n')
}
