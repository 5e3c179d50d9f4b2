import { describe, expect, test } from 'vitest'

import { allows, assertProof, confirmDestruction } from '../../../lib/task/confirm.ts'
import type { Confirmation, Proof } from '../../../lib/task/confirm.ts'
import { exitCode } from '../../../lib/task/exit-code.ts'
import type { Prompt, Question } from '../../../lib/task/prompt.ts'

/** Someone at the keyboard, and what was said to them. */
function someone(...answers: string[]): { prompt: Prompt; heard: string[] } {
  const heard: string[] = []
  const prompt = async (question: Question) => {
    heard.push(question.message)
    for (const answer of answers) {
      const complaint = question.complaint?.(answer)
      if (complaint === undefined) return answer
      heard.push(complaint)
    }
    throw new Error('asked for more answers than there are')
  }
  return { prompt, heard }
}

function nobody(): Promise<string> {
  throw new Error('asked')
}

const drop: Confirmation = {
  name: 'weltenwind',
  question: 'Drop weltenwind on pg-primary (12 tables, 34 MB)?',
  yes: false,
  dryRun: false,
  isTerminal: true,
  prompt: nobody,
}

async function agreed(name: string): Promise<Proof> {
  return confirmDestruction({ ...drop, name, yes: true })
}

describe('at a terminal', () => {
  test('the name has to be typed', async () => {
    const { prompt, heard } = someone('weltenwind')
    const proof = await confirmDestruction({ ...drop, prompt })
    expect(proof.name).toBe('weltenwind')
    expect(heard).toEqual([
      'Drop weltenwind on pg-primary (12 tables, 34 MB)?\n  Type "weltenwind" to go on, or leave it empty to stop:',
    ])
  })

  test('another name is refused, and asked for again', async () => {
    const { prompt, heard } = someone('y', 'Weltenwind', ' weltenwind ')
    expect(allows(await confirmDestruction({ ...drop, prompt }), 'weltenwind')).toBe(true)
    expect(heard.slice(1)).toEqual([
      'that is "y", not "weltenwind"',
      'that is "Weltenwind", not "weltenwind"',
    ])
  })

  test('nothing stops the run', async () => {
    const { prompt } = someone('')
    await expect(confirmDestruction({ ...drop, prompt })).rejects.toMatchObject({
      message: 'cancelled; nothing was changed',
      code: exitCode.cancelled,
    })
  })

  test('a wrong name that gets past the prompt is no agreement', async () => {
    await expect(confirmDestruction({ ...drop, prompt: async () => 'prod' })).rejects.toMatchObject({
      code: 130,
    })
  })

  test('what a machine said cannot hide the question', async () => {
    const { prompt, heard } = someone('weltenwind')
    await confirmDestruction({ ...drop, question: 'Drop \u001b[2Jit?\nreally', prompt })
    expect(heard[0]).toMatch(/^Drop it\? really\n/)
  })
})

describe('nobody is asked', () => {
  test('with --yes', async () => {
    expect((await confirmDestruction({ ...drop, yes: true, isTerminal: false })).name).toBe('weltenwind')
  })

  test('in a dry run', async () => {
    expect((await confirmDestruction({ ...drop, dryRun: true, isTerminal: false })).name).toBe('weltenwind')
  })

  test('without a terminal, which is a refusal', async () => {
    await expect(confirmDestruction({ ...drop, isTerminal: false })).rejects.toMatchObject({
      message: 'refused: no terminal to confirm "weltenwind" on; give --yes',
      code: exitCode.usage,
    })
  })
})

describe('a proof', () => {
  test('is for one name', async () => {
    const proof = await agreed('weltenwind')
    expect(() => assertProof(proof, 'weltenwind')).not.toThrow()
    expect(() => assertProof(proof, 'production')).toThrow(
      '"production" must not be destroyed: the operator agreed to the destruction of "weltenwind"',
    )
  })

  test('cannot be imitated', async () => {
    const proof = await agreed('weltenwind')
    const imitations: unknown[] = [{ name: 'production' }, Object.create(proof), null]
    for (const imitation of imitations) {
      // What TypeScript forbids, JavaScript does not: such a value has to be told apart when the program runs.
      expect(Reflect.apply(allows, undefined, [imitation, 'production'])).toBe(false)
    }
    expect(() => Reflect.apply(assertProof, undefined, [{ name: 'x' }, 'x'])).toThrow('nobody was asked')
  })

  test('cannot be made through another one, nor renamed', async () => {
    const proof = await agreed('weltenwind')
    const { constructor } = Object.getPrototypeOf(proof)
    expect(() => Reflect.construct(constructor, [Symbol('maker of proofs'), 'production'])).toThrow(
      'a proof is made by confirmDestruction() only',
    )
    expect(Reflect.set(proof, 'name', 'production')).toBe(false)
    expect(proof.name).toBe('weltenwind')
  })
})
