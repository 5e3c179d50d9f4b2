/* oxlint-disable no-control-regex -- control characters are what this file is about */

/** Strings a terminal acts on or swallows (title, clipboard, hyperlink, sixel), as ECMA-48 delimits them. */
const controlString = /\u001b[PX^_\]][^\u0007\u001b\n]*(?:\u0007|\u001b\\)?/g
/** Colours, cursor movement, erasing. */
const controlSequence = /(?:\u001b\[|\u009b)[\u0030-\u003f]*[\u0020-\u002f]*[\u0040-\u007e]/g
const shortEscape = /\u001b[\u0020-\u002f]*[\u0030-\u007e]/g
/** What is left of control characters, and marks that reorder text on screen, so that it lies about its content. */
const invisible =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/**
 * Text from a machine, fit for printing: no byte of it can move the cursor, set the title, fill the
 * clipboard or colour what follows. Of a line that was drawn over by `\r`, as progress bars do, the
 * last state stays. What cannot be left out is shown as its code.
 */
export function harmless(text: string): string {
  return text
    .replaceAll(controlString, '')
    .replaceAll(controlSequence, '')
    .replaceAll(shortEscape, '')
    .split('\n')
    .map(lastDrawn)
    .join('\n')
    .replaceAll(invisible, (character) => codeOf(character))
}

function lastDrawn(line: string): string {
  return line.includes('\r') ? (line.split('\r').findLast((part) => part !== '') ?? '') : line
}

/** For titles and other places with room for one line. */
export function oneLine(text: string): string {
  return harmless(text).replaceAll(/\s+/g, ' ').trim()
}

/** Harmless lines of a text, without the empty ones at its end. */
export function linesOf(text: string): string[] {
  return harmless(text).trimEnd().split('\n')
}

/** JSON without a raw control character; JSON.stringify leaves those above U+007E as they are. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    invisible,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function codeOf(character: string): string {
  const code = character.charCodeAt(0)
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}

/** Milliseconds for people: `85 ms`, `41.2 s`, `2 min 5 s`, `1 h 2 min`. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Breaks at spaces so that no line is longer than `width`, unless one word is. Keeps the text's own line breaks. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines = ['']
    for (const word of paragraph.split(/\s+/).filter(Boolean)) {
      const line = lines.at(-1) ?? ''
      if (line === '') lines[lines.length - 1] = word
      else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`
      else lines.push(word)
    }
    return lines
  })
}
