import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'

import { describe, expect, test } from 'vitest'

import { exitCode } from '../../../lib/task/exit-code.ts'
import { ask, askHidden, askSecret } from '../../../lib/task/prompt.ts'

/** A keyboard and a screen; keys are pressed when the screen shows what they answer to. */
class Desk {
  readonly input = new PassThrough()
  readonly output = new PassThrough()
  seen = ''

  constructor() {
    this.output.on('data', (chunk: Buffer) => (this.seen += chunk.toString()))
  }

  async sees(text: string): Promise<void> {
    while (!this.seen.includes(text)) await new Promise((resolve) => setTimeout(resolve, 2))
  }

  press(keys: string): void {
    this.input.write(keys)
  }
}

const cancelled = { message: 'cancelled at a question', code: exitCode.cancelled }

describe('a question', () => {
  test('gets the line that was typed', async () => {
    const desk = new Desk()
    const answer = ask({ message: 'Name:' }, desk)
    await desk.sees('Name:')
    desk.press('weltenwind\r')
    expect(await answer).toBe('weltenwind')
  })

  test('says what is wrong with an answer, and waits for another one', async () => {
    const desk = new Desk()
    const answer = ask(
      { message: 'Name:', complaint: (text) => (text === 'b' ? undefined : `not ${text}`) },
      desk,
    )
    await desk.sees('Name:')
    desk.press('a\r')
    await desk.sees('not a')
    desk.press('b\r')
    expect(await answer).toBe('b')
  })

  test.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s ends it', async (_, key) => {
    const desk = new Desk()
    const answer = ask({ message: 'Name:' }, desk)
    await desk.sees('Name:')
    desk.press(key)
    await expect(answer).rejects.toMatchObject(cancelled)
  })

  test('a closed input ends it', async () => {
    const desk = new Desk()
    const answer = ask({ message: 'Name:' }, desk)
    await desk.sees('Name:')
    desk.input.end()
    await expect(answer).rejects.toMatchObject(cancelled)
  })

  test('an abort from outside ends it', async () => {
    const desk = new Desk()
    const abort = new AbortController()
    const answer = ask({ message: 'Name:', signal: abort.signal }, desk)
    await desk.sees('Name:')
    abort.abort()
    await expect(answer).rejects.toMatchObject(cancelled)
  })
})

describe('a secret', () => {
  const secret = randomBytes(6).toString('hex')

  test('does not appear on the screen', async () => {
    const desk = new Desk()
    const answer = askHidden({ message: 'sudo password:' }, desk)
    await desk.sees('sudo password:')
    // Ctrl-T would show it, if that were not switched off.
    desk.press(`${secret.slice(0, 6)}\u0014${secret.slice(6)}\r`)
    expect(await answer).toBe(secret)
    expect(desk.seen).toContain('*'.repeat(secret.length))
    expect(desk.seen).not.toContain(secret.slice(0, 6))
  })

  test('is asked for by what it is', async () => {
    const label = 'sudo password of ops on pg-primary'
    const prompt = async ({ message }: { message: string }) => (message === `${label}:` ? secret : '')
    expect(await askSecret({ label, isTerminal: true, prompt })).toBe(secret)
  })

  test('that is not given ends the run', async () => {
    await expect(
      askSecret({ label: 'sudo password', isTerminal: true, prompt: async () => '' }),
    ).rejects.toMatchObject({ message: 'cancelled: no sudo password was given', code: exitCode.cancelled })
  })

  test('is not asked for without a terminal', async () => {
    const answer = askSecret({ label: 'sudo password', isTerminal: false, prompt: async () => secret })
    expect(await answer).toBeUndefined()
  })
})
