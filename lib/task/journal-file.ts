import {
  chmodSync,
  closeSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import type { Stats } from 'node:fs'
import { join } from 'node:path'

const newline = 10
/** Milliseconds that a write of another run may need to get to its end. */
const patience = 20

/**
 * Appends a line to a file that only its owner reads, in one write: runs that write at the same time do not mix,
 * and what was written stays if this process is killed right after. Throws what the file system says.
 */
export function appendLine(folder: string, file: string, line: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (isOpenToOthers(statSync(folder))) chmodSync(folder, 0o700)

  const path = join(folder, file)
  const descriptor = openSync(path, 'a+', 0o600)
  try {
    const stats = fstatSync(descriptor)
    if (stats.isFile() && isOpenToOthers(stats)) fchmodSync(descriptor, 0o600)
    // A full disk or a power cut may have left half a line, which must not swallow this one.
    const start = endsInLine(descriptor) || endsInLineSoon(descriptor) ? '' : '\n'
    const bytes = Buffer.from(`${start}${line}\n`)
    const written = writeSync(descriptor, bytes)
    if (written < bytes.length)
      throw new Error(`${path}: no room for more than ${written} of ${bytes.length} bytes`)
  } finally {
    closeSync(descriptor)
  }
}

function endsInLine(descriptor: number): boolean {
  const { size } = fstatSync(descriptor)
  if (size === 0) return true
  const last = Buffer.alloc(1)
  return readSync(descriptor, last, 0, 1, size - 1) === 0 || last[0] === newline
}

/** What looks like half a line may be one that is being written. If it takes longer, an empty line is all the harm. */
function endsInLineSoon(descriptor: number): boolean {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, patience)
  return endsInLine(descriptor)
}

/** Windows keeps no such bits, and gives a user's own folders to that user anyway. */
function isOpenToOthers(stats: Stats): boolean {
  return process.platform !== 'win32' && (stats.mode & 0o077) !== 0
}
