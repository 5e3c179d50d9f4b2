import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'

import { describe, expect, test } from 'vitest'

import { openDialogue, type RunningOnPty } from '../../../lib/host/dialogue.ts'
import { HostError } from '../../../lib/host/errors.ts'
import { asLoginUser, type Escalation } from '../../../lib/host/escalation.ts'
import type { Screen } from '../../../lib/host/terminal.ts'
import { deferred, failure } from '../doubles.ts'

const bySudo: Escalation = { prefix: "sudo -k -S -p '' -H -u postgres --", password: 'open sesame' }

/** A pty on which a program waits, as sudo and bash there would bring it up. */
function machine({ reaches = true }: { reaches?: boolean } = {}) {
  const ended = deferred<{ code: number | null; signal: NodeJS.Signals | null }>()
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const sizes: string[] = []
  const signals: NodeJS.Signals[] = []
  let line = ''
  let typed = ''
  const end = (code: number | null, signal: NodeJS.Signals | null = null): void => {
    stdout.end()
    stderr.end()
    ended.resolve({ code, signal })
  }
  const sayReady = (): void => void stdout.write(/printf %s (ready-\w+);/.exec(line)?.[1] ?? 'no mark')
  stdin.on('data', (chunk: Buffer) => {
    typed += chunk.toString()
    if (typed === 'open sesame\n') sayReady()
  })
  return {
    start: async (started: string): Promise<RunningOnPty> => {
      line = started
      const asks = /-p (password-\w+)/.exec(line)?.[1]
      setImmediate(() => {
        if (!reaches) {
          stdout.write('bash: no such file\r\n')
          end(127)
        } else if (asks) stdout.write(`a lecture\r\n${asks}`)
        else sayReady()
      })
      return {
        stdin,
        stdout,
        stderr,
        ended: ended.promise,
        kill: (signal) => {
          signals.push(signal)
          end(null, signal)
        },
        abandon: () => {},
        resize: ({ columns, rows }) => void sizes.push(`${columns}x${rows}`),
      }
    },
    line: () => line,
    typed: () => typed,
    sizes,
    signals,
    say: (text: string) => void stdout.write(text),
    end,
    lose: (error: Error) => ended.reject(error),
  }
}

/** The operator's terminal. */
function desk() {
  const raw: boolean[] = []
  const input = Object.assign(new PassThrough(), { setRawMode: (on: boolean) => void raw.push(on) })
  const output: Screen = Object.assign(new PassThrough(), { columns: 80, rows: 24 })
  return { terminal: { input, output }, raw, screen: () => String(Object(output).read() ?? '') }
}

const program = { script: 'exec psql', secrets: {}, term: 'xterm' }

function open(there: ReturnType<typeof machine>, escalation = asLoginUser, signal?: AbortSignal) {
  return openDialogue('pg-1', program, escalation, there.start, signal ?? new AbortController().signal)
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('before it has the terminal', () => {
  test('sudo gets its password when it asks, and nothing else was typed', async () => {
    const there = machine()
    await open(there, bySudo)
    expect(there.typed()).toBe('open sesame\n')
    expect(there.line()).toMatch(/^sudo -k -S -p password-\w+ -H -u postgres -- bash -c /)
    expect(there.line()).not.toContain('sesame')
  })

  test('secrets wait until then, and are in no command line', async () => {
    const there = machine()
    const secret = { ...program, secrets: { PGPASSWORD: 'it is $HOME' } }
    const dialogue = await openDialogue(
      'pg-1',
      secret,
      asLoginUser,
      there.start,
      new AbortController().signal,
    )
    expect(there.typed()).toBe('')
    expect(there.line()).toContain('IFS= read -r PGPASSWORD; export PGPASSWORD; ')
    expect(there.line()).not.toContain('$HOME')
    const { terminal } = desk()
    const attached = dialogue.attach(terminal)
    await turns()
    expect(there.typed()).toBe('it is $HOME\n\n')
    there.end(0)
    await attached
  })

  test('one that is not reached says why', async () => {
    const error = await failure(open(machine({ reaches: false })))
    expect(error).toBeInstanceOf(HostError)
    expect(error.message).toBe('pg-1: the program was not reached (exit code 127): bash: no such file')
  })

  test('a run that is cancelled meanwhile ends it', async () => {
    const there = machine()
    const cancel = new AbortController()
    const dialogue = await open(there, asLoginUser, cancel.signal)
    cancel.abort()
    const { terminal, raw } = desk()
    expect(await failure(dialogue.attach(terminal))).toMatchObject({ failure: 'cancelled' })
    expect(there.signals).toEqual(['SIGTERM'])
    expect(raw).toEqual([true, false])
  })
})

describe('with the terminal', () => {
  test('what is typed and what is said pass as they are, Ctrl-C too', async () => {
    const there = machine()
    const dialogue = await open(there)
    const { terminal, screen } = desk()
    const attached = dialogue.attach(terminal)
    terminal.input.write('select 1;\r\u0003')
    there.say('\u001b[1;31m=#\u001b[0m ü')
    await turns()
    expect(there.typed()).toBe('\nselect 1;\r\u0003')
    expect(screen()).toBe('\u001b[1;31m=#\u001b[0m ü')
    there.end(0)
    expect(await attached).toEqual({ code: 0, signal: null })
  })

  test('it hears of the size at once, and of each new one', async () => {
    const there = machine()
    const dialogue = await open(there)
    const { terminal } = desk()
    const attached = dialogue.attach(terminal)
    Object.assign(terminal.output, { columns: 120, rows: 40 }).emit('resize')
    expect(there.sizes).toEqual(['80x24', '120x40'])
    there.end(0)
    await attached
    expect(EventEmitter.listenerCount(terminal.output, 'resize')).toBe(0)
  })
})

describe('the terminal is given back', () => {
  test.each<[string, (there: ReturnType<typeof machine>) => void, unknown]>([
    ['at its end', (there) => there.end(2), { code: 2, signal: null }],
    ['when it is killed', (there) => there.end(null, 'SIGKILL'), { code: null, signal: 'SIGKILL' }],
    [
      'when the connection is lost',
      (there) => there.lose(new HostError('pg-1', 'lost', 'the connection was lost')),
      { failure: 'lost' },
    ],
  ])('%s', async (_, happen, outcome) => {
    const there = machine()
    const dialogue = await open(there)
    const { terminal, raw } = desk()
    const attached = dialogue.attach(terminal)
    await turns()
    expect(raw).toEqual([true])
    happen(there)
    expect(await attached.catch((error: unknown) => error)).toMatchObject(Object(outcome))
    expect(raw).toEqual([true, false])
    expect(terminal.input.isPaused()).toBe(true)
    const before = there.typed()
    terminal.input.write('for the next program')
    await turns()
    expect(there.typed()).toBe(before)
  })

  test('a window that was closed is no bug', async () => {
    const there = machine()
    const dialogue = await open(there)
    const { terminal } = desk()
    const attached = dialogue.attach(terminal)
    // Nobody listening, it would be thrown here.
    terminal.input.emit('error', new Error('read EIO'))
    there.end(0)
    expect(await attached).toEqual({ code: 0, signal: null })
  })
})
