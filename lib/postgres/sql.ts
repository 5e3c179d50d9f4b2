/** SQL text whose every part was either written in the source or escaped by type. */
export class Sql {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * Builds SQL. Only SQL goes in: a name must come through `identifier`, a value through `literal`,
 * so that a plain string in a statement does not compile.
 */
export function sql(pieces: TemplateStringsArray, ...parts: (Sql | number)[]): Sql {
  return new Sql(
    pieces.reduce((text, piece, index) => {
      const part = parts[index - 1]
      return text + (part instanceof Sql ? part.text : String(part)) + piece
    }),
  )
}

/** The name of a database, role, schema …, always quoted, so that case and odd characters survive. */
export function identifier(name: string): Sql {
  check(name)
  if (name === '') throw new Error('a PostgreSQL name cannot be empty')
  return new Sql(`"${name.replaceAll('"', '""')}"`)
}

/** A string value. Backslashes stay what they are only with standard_conforming_strings, so `E''` is used for them. */
export function literal(value: string): Sql {
  check(value)
  const doubled = value.replaceAll("'", "''")
  return new Sql(value.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`)
}

/** A long text as a value, in dollar quotes that do not occur in it. */
export function dollarQuoted(value: string): string {
  check(value)
  let tag = '$text$'
  for (let count = 1; `${value}$`.includes(tag); count += 1) tag = `$text${count}$`
  return `${tag}${value}${tag}`
}

export function join(parts: Sql[], separator: string): Sql {
  return new Sql(parts.map((part) => part.text).join(separator))
}

function check(text: string): void {
  if (text.includes('\0')) throw new Error('PostgreSQL takes no NUL character in names and values')
}
