import { type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'

import * as z from 'zod'

import { errorBehind, HostError } from '../host/errors.ts'
import type { Run } from '../host/events.ts'
import { TaskError } from '../task/errors.ts'
import { ApiError, jsonOf, refusalOf } from './errors.ts'
import { type Peer, secure } from './tls.ts'
import type { Token } from './token.ts'

/** Milliseconds: until the connection is secure, and without a byte; a full datastore takes its time to list. */
const connectPatience = 15_000
const silencePatience = 120_000

export interface ApiOptions {
  peer: Peer
  url: URL
  token: Token
  variable: string
  /** The backup server has ":" between a token's ID and its secret. */
  kind: 'PVEAPIToken' | 'PBSAPIToken'
  dial: (address: string, port: number) => Promise<Duplex>
  run: Run
}

/** A list is told by repeating its name, as the web interface does. */
export type Parameters = Readonly<Record<string, string | number | readonly string[]>>

/**
 * The API of Proxmox VE or of a Proxmox Backup Server: https, JSON below `/api2/json`, a token in a header.
 * Described at https://pve.proxmox.com/pve-docs/api-viewer/ and https://pbs.proxmox.com/docs/api-viewer/.
 */
export class Api {
  readonly name: string
  readonly tokenId: string
  readonly #options: ApiOptions
  #now: Date | undefined

  constructor(options: ApiOptions) {
    this.name = options.peer.name
    this.tokenId = options.token.id
    this.#options = options
    options.run.onSecret(options.token.secret)
  }

  /** What time it was there at the last answer. */
  get now(): Date {
    return this.#now ?? new Date()
  }

  /** A question. @throws HostError without an answer, ApiError with one that is none */
  async get<T extends z.ZodType>(path: string, data: T, parameters: Parameters = {}): Promise<z.output<T>> {
    const query = encode(parameters)
    return this.#parse(path, data, await this.#call('GET', query === '' ? path : `${path}?${query}`))
  }

  /**
   * An act: told and journaled; in a dry run only told, and then undefined. It is not broken off by Ctrl-C: nobody would
   * know whether it was done.
   */
  async act<T extends z.ZodType>(
    method: 'POST' | 'DELETE',
    path: string,
    data: T,
    parameters: Parameters = {},
  ): Promise<z.output<T> | undefined> {
    const { run } = this.#options
    const form = encode(parameters)
    const shown = Object.entries(parameters).map(([name, value]) => ` ${name}=${String(value)}`)
    const change = { host: this.name, user: this.tokenId, command: `${method} ${path}${shown.join('')}` }
    if (run.dryRun) {
      run.onChange({ state: 'would', ...change })
      return undefined
    }
    try {
      const answer = await this.#call(method, path, method === 'POST' ? form : undefined)
      run.onChange({ state: 'done', ...change })
      return this.#parse(path, data, answer)
    } catch (error) {
      run.onChange({ state: 'failed', ...change })
      throw error
    }
  }

  async #call(method: string, path: string, form?: string): Promise<string> {
    const { url, token, variable, run } = this.#options
    const signal = method === 'GET' ? run.signal() : new AbortController().signal
    const { response, body } = await this.#answer(method, path, form, signal).catch((error: unknown) => {
      if (signal.aborted) throw new HostError(this.name, 'cancelled', 'cancelled', undefined, error)
      const known = errorBehind(error, HostError)
      // Who shows a wrong certificate has answered.
      if (known?.host === this.name || errorBehind(error, TaskError)) throw error
      const why = error instanceof Error ? error.message : String(error)
      const next = known?.next ?? `curl -k ${url.origin}   # is it up, and reachable from there?`
      throw new HostError(this.name, known?.failure ?? 'unreachable', `no answer: ${why}`, next, error)
    })
    const time = new Date(response.headers.date ?? Number.NaN)
    if (!Number.isNaN(time.getTime())) this.#now = time
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return body
    throw refusalOf({
      name: this.name,
      tokenId: token.id,
      variable,
      call: `${method} ${path}`,
      status,
      reason: response.statusMessage ?? '',
      body,
    })
  }

  async #answer(method: string, path: string, form: string | undefined, signal: AbortSignal) {
    const { url, token, kind } = this.#options
    const socket = await this.#connect(signal)
    const separator = kind === 'PVEAPIToken' ? '=' : ':'
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const call = request({
          createConnection: () => socket,
          method,
          path: `/api2/json${path}`,
          signal,
          headers: {
            host: url.host,
            authorization: `${kind}=${token.id}${separator}${token.secret}`,
            connection: 'close',
            ...(form === undefined
              ? {}
              : {
                  'content-type': 'application/x-www-form-urlencoded',
                  'content-length': Buffer.byteLength(form),
                }),
          },
        })
        call.once('response', resolve)
        call.once('error', reject)
        call.end(form)
      })
      return { response, body: await text(response) }
    } finally {
      socket.destroy()
    }
  }

  /** One connection a call: pveproxy closes idle ones after seconds, and few calls are made. */
  async #connect(signal: AbortSignal): Promise<TLSSocket> {
    const { url, peer, dial } = this.#options
    const port = Number(url.port || 443)
    // An address of IPv6 has brackets in a URL.
    const address = url.hostname.replaceAll(/[[\]]/g, '')
    let stream: Duplex | undefined
    const opening = dial(address, port).then((open) => {
      stream = open
      return secure(open, peer)
    })
    const socket = await withinTime(opening, signal, () => stream?.destroy())
    socket.setTimeout(silencePatience, () =>
      socket.destroy(new Error(`nothing was heard for ${silencePatience / 1000} s`)),
    )
    return socket
  }

  #parse<T extends z.ZodType>(path: string, data: T, body: string): z.output<T> {
    const parsed = z.object({ data: z.unknown() }).safeParse(jsonOf(body))
    const result = data.safeParse(parsed.success ? parsed.data.data : undefined)
    if (parsed.success && result.success) return result.data
    const why = parsed.success && result.error ? z.prettifyError(result.error) : body.slice(0, 200)
    throw new ApiError(
      200,
      `${this.name} gave an answer to ${path} that is not the one its description says`,
      {
        seen: why,
      },
    )
  }
}

/** A dial that nobody ends would last two minutes on a machine whose cable was cut. */
async function withinTime<T>(opening: Promise<T>, signal: AbortSignal, giveUp: () => void): Promise<T> {
  const patience = new AbortController()
  const late = pause(connectPatience, undefined, { signal: AbortSignal.any([signal, patience.signal]) }).then(
    () => {
      throw new Error(`no connection within ${connectPatience / 1000} s`)
    },
  )
  try {
    return await Promise.race([opening, late])
  } catch (error) {
    giveUp()
    opening.then(giveUp, () => {})
    throw error
  } finally {
    patience.abort()
  }
}

function encode(parameters: Parameters): string {
  const encoded = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of typeof value === 'object' ? value : [String(value)]) encoded.append(name, one)
  }
  return encoded.toString()
}
