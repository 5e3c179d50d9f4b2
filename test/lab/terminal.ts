import { stripVTControlCharacters } from 'node:util'

import { vi } from 'vitest'

import type { Lab } from './lab.ts'

/** A command on a terminal of the operator's workstation: what is typed, and what stands on the screen. */
export interface TypedRun {
  /** All of it, with its control sequences. */
  raw(): string
  /** As read by somebody. */
  screen(): string
  type(text: string): void
  /** Waits until this stands on the screen, after all that was waited for before; returns what came up to its end. */
  until(pattern: RegExp): Promise<string>
  resize(rows: number, columns: number): Promise<void>
  /** The terminal's settings, as `stty -a` shows them. */
  settings(): Promise<string>
  kill(signal: NodeJS.Signals): void
}

/** By script(1), which gives the command a pty of its own. Its shell outlives the command, and so does the terminal, until it is killed. */
export function onTerminal(lab: Lab, command: string, env: Record<string, string> = {}): TypedRun {
  const line = `tty; stty rows 30 columns 100; ${command}; echo "ended with $?"; read -r`
  const child = lab.controller('script', ['-q', '-e', '-f', '-c', line, '/dev/null'], {
    reject: false,
    stdin: 'pipe',
    buffer: false,
    env: { TERM: 'xterm-256color', SHELL: '/bin/bash', ...env },
  })
  let raw = ''
  let seen = 0
  child.stdout.on('data', (chunk: Buffer) => (raw += chunk.toString()))
  const screen = (): string => stripVTControlCharacters(raw).replaceAll('\r', '')
  async function until(pattern: RegExp): Promise<string> {
    const found = await vi
      .waitUntil(() => pattern.exec(screen().slice(seen)), { timeout: 60_000, interval: 20 })
      .catch(() => {
        throw new Error(`${pattern} did not come up; the screen says:\n${screen().slice(seen)}`)
      })
    const text = screen().slice(seen, seen + found.index + found[0].length)
    seen += text.length
    return text
  }
  const tty = (): string => /\/dev\/pts\/\d+/.exec(raw)?.[0] ?? '/dev/null'
  const stty = (...words: string[]) => lab.controller('stty', ['-F', tty(), ...words])
  return {
    raw: () => raw,
    screen,
    type: (text) => void child.stdin.write(text),
    until,
    resize: async (rows, columns) => void (await stty('rows', String(rows), 'columns', String(columns))),
    settings: async () => (await stty('-a')).stdout,
    kill: (signal) => void child.kill(signal),
  }
}
