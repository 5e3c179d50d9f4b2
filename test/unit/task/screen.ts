import { Socket } from 'node:net'

import type { TaskEvent, TaskEventBody } from '../../../lib/task/events.ts'

/** A terminal that remembers: what stands on it now, and every byte that was ever written to it. */
export class Screen {
  written = ''
  #lines: string[] = ['']
  #row = 0
  #column = 0
  readonly stream: NodeJS.WriteStream

  constructor(isTTY = true) {
    this.stream = fakeStream(isTTY, (text) => {
      this.written += text
      this.#draw(text)
    })
  }

  /** The lines as someone would see them, without colours and without the empty ones at the end. */
  get lines(): string[] {
    return this.#lines
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd()
      .split('\n')
  }

  get cursorIsHidden(): boolean {
    return this.written.lastIndexOf('\u001b[?25l') > this.written.lastIndexOf('\u001b[?25h')
  }

  /** Resolves as soon as the screen shows it. */
  async shows(text: string): Promise<void> {
    const deadline = Date.now() + 5000
    while (!this.lines.join('\n').includes(text)) {
      if (Date.now() > deadline) throw new Error(`never on screen: ${text}\n${this.lines.join('\n')}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  #draw(text: string): void {
    // oxlint-disable-next-line no-control-regex -- a terminal is made of them
    for (const [token, count, command] of text.matchAll(/\u001b\[\??([\d;]*)([A-Za-z])|[^\u001b]/g)) {
      if (command === undefined) this.#put(token)
      else this.#control(command, Number(count === '' ? 1 : count))
    }
  }

  #put(character: string): void {
    if (character === '\n') {
      this.#row += 1
      this.#column = 0
      this.#lines[this.#row] ??= ''
    } else if (character === '\r') {
      this.#column = 0
    } else {
      const line = (this.#lines[this.#row] ?? '').padEnd(this.#column)
      this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1)
      this.#column += 1
    }
  }

  #control(command: string, count: number): void {
    if (command === 'A') this.#row = Math.max(0, this.#row - count)
    if (command === 'B') this.#row += count
    if (command === 'G') this.#column = count - 1
    if (command === 'K') this.#lines[this.#row] = ''
  }
}

function fakeStream(isTTY: boolean, written: (text: string) => void): NodeJS.WriteStream {
  const socket = new Socket()
  return Object.assign(socket, {
    fd: 1 as const,
    isTTY,
    columns: 80,
    rows: 24,
    write: (text: string | Uint8Array) => {
      written(String(text))
      return true
    },
    clearLine: () => true,
    clearScreenDown: () => true,
    cursorTo: () => true,
    moveCursor: () => true,
    getColorDepth: () => 8,
    hasColors: () => true,
    getWindowSize: (): [number, number] => [80, 24],
  })
}

/** Stamps events as a run of pg-reset would. */
export function happened(body: TaskEventBody, second = 0): TaskEvent {
  return { time: `2025-11-21T02:24:${String(second).padStart(2, '0')}.000Z`, task: 'pg-reset', ...body }
}
