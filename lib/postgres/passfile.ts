/** A line of a passfile: `host:port:database:user:password`, with `\` before a `:` or `\` of a value. */
const line =
  /^((?:[^:\\\n]|\\.)*:(?:[^:\\\n]|\\.)*:(?:[^:\\\n]|\\.)*:)((?:[^:\\\n]|\\.)*):((?:[^:\\\n]|\\.)*)$/gm

/** The passfile with another password for a role, and everything else as it was. */
export function withRolePassword(text: string, role: string, password: string): string {
  return text.replace(line, (whole: string, start: string, user: string) =>
    !start.startsWith('#') && unescaped(user) === role
      ? `${start}${user}:${password.replaceAll(/[:\\]/g, String.raw`\$&`)}`
      : whole,
  )
}

export function rolePasswords(text: string, role: string): string[] {
  const found = [...text.matchAll(line)].flatMap(([, start = '', user = '', password = '']) =>
    !start.startsWith('#') && unescaped(user) === role ? [unescaped(password)] : [],
  )
  return [...new Set(found)]
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1')
}
