/**
 * Quotes one argument for a POSIX shell: single quotes, which every `sh` reads alike.
 * zx's own default writes `$'…'`, which dash prints as a dollar sign.
 *
 * @throws when the argument holds a NUL character: no Unix program can be given one.
 */
export function quote(argument: string): string {
  if (argument.includes('\0')) {
    const where = argument.indexOf('\0')
    throw new Error(`a command argument cannot hold a NUL character (at position ${where})`)
  }
  if (/^[A-Za-z0-9_/.,:@%+-]+$/.test(argument)) return argument
  return `'${argument.replaceAll("'", String.raw`'\''`)}'`
}
