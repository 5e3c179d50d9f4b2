import { TaskError } from './errors.ts'
import { exitCode } from './exit-code.ts'

export type Question = {
  message: string
  /** Says what is wrong with an answer; it is asked for again then. */
  complaint?: ((answer: string) => string | undefined) | undefined
  signal?: AbortSignal | undefined
}
export type Prompt = (question: Question) => Promise<string>

/** Where questions are asked: by default on stderr, so that a redirected stdout holds results only. */
export type Terminal = { input: NodeJS.ReadableStream; output: NodeJS.WritableStream }

/** Asks for a line of text. Throws a TaskError 130 on Ctrl-C, Ctrl-D and abort. */
export async function ask(question: Question, terminal?: Terminal): Promise<string> {
  const { input } = await import('@inquirer/prompts')
  const config = {
    message: question.message,
    validate: (answer: string) => question.complaint?.(answer) ?? true,
    theme: { validationFailureMode: 'clear' },
  } as const
  return answered((context) => input(config, context), question.signal, terminal)
}

/** Asks for a secret without showing it. Undefined without a terminal: who needs the secret knows what to say then. */
export async function askSecret(secret: {
  /** What it is: `sudo password of ops on pg-primary`. */
  label: string
  isTerminal: boolean
  prompt?: Prompt | undefined
  signal?: AbortSignal | undefined
}): Promise<string | undefined> {
  if (!secret.isTerminal) return undefined
  const prompt = secret.prompt ?? askHidden
  const answer = await prompt({ message: `${secret.label}:`, signal: secret.signal })
  if (answer === '')
    throw new TaskError(`cancelled: no ${secret.label} was given`, { code: exitCode.cancelled })
  return answer
}

export async function askHidden(question: Question, terminal?: Terminal): Promise<string> {
  const { password } = await import('@inquirer/prompts')
  const config = { message: question.message, mask: true, toggleMask: false }
  return answered((context) => password(config, context), question.signal, terminal)
}

async function answered(
  prompt: (context: Terminal & { signal: AbortSignal }) => Promise<string>,
  signal: AbortSignal | undefined,
  { input, output }: Terminal = { input: process.stdin, output: process.stderr },
): Promise<string> {
  const ending = new AbortController()
  // Ctrl-D closes a prompt without settling it. An answer closes it too, but settles it first.
  const closed = () => setImmediate(() => ending.abort())
  input.once('pause', closed)
  const signals = signal === undefined ? ending.signal : AbortSignal.any([ending.signal, signal])
  try {
    return await prompt({ input, output, signal: signals })
  } catch (error) {
    // By name, as the classes belong to a package that is not ours to import.
    if (error instanceof Error && /^(Exit|Abort|Cancel)PromptError$/.test(error.name)) {
      throw new TaskError('cancelled at a question', { code: exitCode.cancelled, cause: error })
    }
    throw error
  } finally {
    input.off('pause', closed)
  }
}
