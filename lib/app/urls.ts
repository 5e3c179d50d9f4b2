/** `scheme://user:password@`; what stands around it does not matter. */
const login = /\b(postgres(?:ql)?:\/\/)([^\s:/?#@'"]+):([^\s/?#@'"]*)@/gi

/** The text with another password in each PostgreSQL URL of a role, and everything else as it was. */
export function withPassword(text: string, role: string, password: string): string {
  return text.replace(login, (whole: string, scheme: string, user: string) =>
    decoded(user) === role ? `${scheme}${user}:${encodeURIComponent(password)}@` : whole,
  )
}

/** The passwords that a text has for a role, each once. */
export function passwordsOf(text: string, role: string): string[] {
  const found = [...text.matchAll(login)].flatMap(([, , user = '', password = '']) =>
    decoded(user) === role ? [decoded(password)] : [],
  )
  return [...new Set(found)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
