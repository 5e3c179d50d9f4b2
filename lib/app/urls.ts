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

/** `NAME=` at the beginning of a line, and the rest of it. */
const assignment = /^(\s*(?:export\s+)?([A-Za-z_]\w*)\s*=)(.*)$/gm

/** A URL up to its server's name, and the server. One with several servers finds its primary by itself. */
const server = /\b(postgres(?:ql)?:\/\/(?:[^\s/?#@'"]*@)?)([^\s/?#@'",]+)(?=[\s/?#'"]|$)/gi

/** A server that a variable names in a PostgreSQL URL. */
export interface NamedServer {
  variable: string
  /** In lower case; an IPv6 address without its brackets. */
  host: string
  port: number
}

export function serversOf(text: string): NamedServer[] {
  const found: NamedServer[] = []
  withServers(text, (one) => void found.push(one))
  return found
}

/**
 * The text of an env file with other servers in its PostgreSQL URLs, and everything else as it was.
 * @param move the name or address that is to stand there; undefined: what stands there is right
 */
export function withServers(text: string, move: (found: NamedServer) => string | undefined): string {
  return text.replace(assignment, (_line, head: string, variable: string, value: string) => {
    const moved = value.replace(server, (whole: string, before: string, authority: string) => {
      if (!URL.canParse(`postgres://${authority}`)) return whole
      const { hostname, port } = new URL(`postgres://${authority}`)
      const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
      const to = move({ variable, host, port: Number(port || 5432) })
      if (to === undefined) return whole
      return `${before}${to.includes(':') ? `[${to}]` : to}${port === '' ? '' : `:${port}`}`
    })
    return `${head}${moved}`
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
