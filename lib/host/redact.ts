import { quote } from './quote.ts'

/** Below this length a "secret" is a common word or letter; hiding it would garble every line. */
const shortest = 4

/**
 * Replaces secrets in all text that leaves the program: screen, journal, errors.
 * Knows each secret also as it looks inside a shell word, an SQL literal, JSON and a URL.
 */
export class Redactor {
  readonly #forms = new Set<string>()
  #pattern: RegExp | undefined

  add(secret: string): void {
    if (secret.length < shortest) return
    const escaped = secret.replaceAll("'", "''")
    for (const form of [
      secret,
      quote(secret.replaceAll('\0', '')).replace(/^'|'$/g, ''),
      escaped,
      escaped.replaceAll('\\', '\\\\'),
      JSON.stringify(secret).slice(1, -1),
      ...inUrls(Buffer.from(secret).toString()),
      Buffer.from(secret).toString('base64'),
    ]) {
      if (form.length >= shortest) this.#forms.add(form)
    }
    this.#pattern = undefined
  }

  readonly redact = (text: string): string => {
    if (this.#forms.size === 0) return text
    this.#pattern ??= new RegExp(
      // Longest first, or a secret that contains another one would leave its tail behind.
      [...this.#forms]
        .toSorted((a, b) => b.length - a.length)
        .map((form) => form.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
        .join('|'),
      'g',
    )
    return text.replace(this.#pattern, '•••')
  }
}

/** As a path or query has it, as the URL class writes a password, and as a form is sent. */
function inUrls(secret: string): string[] {
  const url = new URL('postgres://host')
  url.password = secret
  return [encodeURIComponent(secret), url.password, new URLSearchParams({ s: secret }).toString().slice(2)]
}
