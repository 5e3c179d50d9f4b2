import type { Readable, Writable } from 'node:stream'

/** The operator's terminal, as it is handed to a program on a machine. */
export interface Terminal {
  input: Readable & { setRawMode(raw: boolean): unknown }
  output: Screen
}

export type Screen = Writable & { readonly columns: number; readonly rows: number }
