import { TaskError } from './errors.ts'
import { exitCode } from './exit-code.ts'
import { ask } from './prompt.ts'
import type { Prompt } from './prompt.ts'
import { oneLine } from './text.ts'

/** Known to this module only, so that nobody else can make a proof, not even through an instance's constructor. */
const maker = Symbol('maker of proofs')

/**
 * Says that the operator agreed to the destruction of one named thing. Functions that destroy take it
 * as a parameter, and so cannot be called from where nobody was asked.
 */
class Proof {
  readonly #name: string

  constructor(key: symbol, name: string) {
    if (key !== maker) throw new Error('a proof is made by confirmDestruction() only')
    this.#name = name
  }

  /** What may be destroyed. */
  get name(): string {
    return this.#name
  }

  static isProof(value: unknown): value is Proof {
    return typeof value === 'object' && value !== null && #name in value
  }
}

export type { Proof }

export type Confirmation = {
  /** What is destroyed, and what has to be typed: the name of a database, a guest. */
  name: string
  /** What happens, with what the machine said: `Drop weltenwind on pg-primary (12 tables, 34 MB)?` */
  question: string
  yes: boolean
  dryRun: boolean
  /** Whether there is someone to ask. */
  isTerminal: boolean
  prompt?: Prompt | undefined
  signal?: AbortSignal | undefined
}

/**
 * Asks the operator to type the name of what is to be destroyed. Does not ask with `--yes`, nor in a dry run,
 * where nothing is destroyed. Throws at once when there is nobody to ask.
 */
export async function confirmDestruction(confirmation: Confirmation): Promise<Proof> {
  const { name, question, yes, dryRun, isTerminal, signal } = confirmation
  if (yes || dryRun) return new Proof(maker, name)
  if (!isTerminal) {
    throw new TaskError(`refused: no terminal to confirm "${name}" on; give --yes`, {
      code: exitCode.usage,
    })
  }
  const prompt = confirmation.prompt ?? ask
  const answer = await prompt({
    message: `${oneLine(question)}\n  Type "${name}" to go on, or leave it empty to stop:`,
    complaint: (typed) =>
      typed.trim() === name || typed.trim() === '' ? undefined : `that is "${typed.trim()}", not "${name}"`,
    signal,
  })
  if (answer.trim() === name) return new Proof(maker, name)
  throw new TaskError('cancelled; nothing was changed', { code: exitCode.cancelled })
}

/** Whether a proof is a real one and covers this name. */
export function allows(proof: Proof, name: string): boolean {
  return isProof(proof) && proof.name === name
}

/** For functions that destroy: throws, as a bug, when the proof is for something else. */
export function assertProof(proof: Proof, name: string): void {
  if (allows(proof, name)) return
  const held = isProof(proof)
    ? `the operator agreed to the destruction of "${proof.name}"`
    : 'nobody was asked'
  throw new Error(`"${name}" must not be destroyed: ${held}`)
}

function isProof(value: unknown): value is Proof {
  return Proof.isProof(value)
}
