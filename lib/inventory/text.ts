/**
 * The text of a file as editors on all three systems write it: UTF-8, with or without a byte order mark,
 * or UTF-16, which is what `>` makes in Windows PowerShell.
 *
 * Throws `TypeError` when the bytes are neither.
 */
export function decodeText(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8'
  return new TextDecoder(encoding, { fatal: true }).decode(bytes)
}
