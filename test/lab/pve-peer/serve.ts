import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { text } from 'node:stream/consumers'

import { privilegesOn, type WorldToken } from './world.ts'

/** What a parameter may be, as the API's description has it. */
export type Kind = 'integer' | 'boolean' | 'string' | readonly string[]

export interface Route {
  method: 'GET' | 'POST' | 'DELETE'
  /** `/nodes/{node}/vzdump` */
  path: string
  required?: Record<string, Kind>
  optional?: Record<string, Kind>
  /** Path and privilege without which it is refused. */
  check?: (parameters: Parameters) => [path: string, privilege: string][]
  /** @throws Refusal */
  answer: (parameters: Parameters, caller: Caller) => unknown
}

export type Parameters = Record<string, string>

export interface Caller {
  id: string
  token: WorldToken
}

/** What the API answers instead of data. */
export class Refusal extends Error {
  readonly status: number
  readonly errors: Record<string, string> | undefined

  constructor(status: number, message: string, errors?: Record<string, string>) {
    super(message)
    this.status = status
    this.errors = errors
  }
}

export interface Dialect {
  routes: readonly Route[]
  header: RegExp
  tokens: () => Record<string, WorldToken>
  /** Node that a call is for, when it does not answer. */
  isOffline: (node: string) => boolean
  /** Seconds that its clock is ahead. */
  ahead: () => number
  refuse: (response: ServerResponse, refusal: Refusal) => void
}

/** One API over https with this certificate. */
export function serve(dialect: Dialect, certificate: { key: string; cert: string }): Server {
  return createServer(certificate, (call, response) => {
    response.sendDate = false
    response.setHeader('date', new Date(Date.now() + dialect.ahead() * 1000).toUTCString())
    void reply(dialect, call, response)
  })
}

async function reply(dialect: Dialect, call: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const data = await answerTo(dialect, call)
    response.setHeader('content-type', 'application/json;charset=UTF-8')
    response.end(JSON.stringify({ data: data ?? null }))
  } catch (error) {
    dialect.refuse(response, error instanceof Refusal ? error : new Refusal(500, String(error)))
  }
}

async function answerTo(dialect: Dialect, call: IncomingMessage): Promise<unknown> {
  const url = new URL(call.url ?? '/', 'https://peer')
  const caller = authenticate(dialect, call.headers.authorization)
  const path = url.pathname.replace(/^\/api2\/json/, '')
  for (const route of dialect.routes) {
    const inPath = route.method === call.method ? matchPath(route.path, path) : undefined
    if (!inPath) continue
    const given = new URLSearchParams(call.method === 'POST' ? await text(call) : url.search)
    const parameters = checked(route, { ...Object.fromEntries(given), ...inPath })
    for (const [on, privilege] of route.check?.(parameters) ?? []) {
      if (!(privilege in privilegesOn(caller.token, on))) {
        throw new Refusal(403, `Permission check failed (${on}, ${privilege})`)
      }
    }
    if (inPath['node'] !== undefined && dialect.isOffline(inPath['node'])) {
      throw new Refusal(595, 'No route to host')
    }
    return route.answer(parameters, caller)
  }
  throw new Refusal(501, `Method '${call.method} ${path}' not implemented`)
}

function authenticate({ header, tokens }: Dialect, authorization: string | undefined): Caller {
  const [, id, secret] = header.exec(authorization ?? '') ?? []
  const token = id === undefined ? undefined : tokens()[id]
  const isExpired = token?.expire !== undefined && token.expire < Date.now() / 1000
  if (id === undefined || !token || token.secret !== secret || isExpired) {
    throw new Refusal(401, 'Authentication failed!')
  }
  return { id, token }
}

function matchPath(pattern: string, path: string): Parameters | undefined {
  const names = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const found = new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, '([^/]+)')}$`).exec(path)
  if (!found) return undefined
  return Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(found[index + 1] ?? '')]))
}

/** The checks that every call of the API goes through, with its words. */
function checked({ path, required = {}, optional = {} }: Route, given: Parameters): Parameters {
  const errors: Record<string, string> = {}
  const kinds = { ...required, ...optional }
  for (const name of Object.keys(required)) {
    if (!(name in given)) errors[name] = 'property is missing and it is not optional'
  }
  for (const [name, value] of Object.entries(given)) {
    const kind = kinds[name]
    if (path.includes(`{${name}}`)) continue
    if (kind === undefined) {
      errors[name] = 'property is not defined in schema and the schema does not allow additional properties'
    } else if (kind === 'integer' && !/^-?\d+$/.test(value)) {
      errors[name] = `type check ('integer') failed - got '${value}'`
    } else if (kind === 'boolean' && !/^(0|1|true|false)$/.test(value)) {
      errors[name] = `type check ('boolean') failed - got '${value}'`
    } else if (typeof kind === 'object' && !kind.includes(value)) {
      errors[name] = `value '${value}' does not have a value in the enumeration '${kind.join(', ')}'`
    }
  }
  if (Object.keys(errors).length > 0) throw new Refusal(400, 'Parameter verification failed.', errors)
  return given
}
