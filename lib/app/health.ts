import { request } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'

import type { Host } from '../host/host.ts'
import { TaskError } from '../task/errors.ts'

/** Milliseconds for one answer. */
const answerPatience = 10_000

/**
 * Waits until an app says that it is well.
 * @param host the machine that asks: the app's own
 * @param patience milliseconds
 * @throws TaskError with its last answer
 */
export async function proveHealthy(host: Host, url: string, patience: number): Promise<string> {
  const deadline = Date.now() + patience
  for (;;) {
    const answer = await ask(host, new URL(url)).catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    )
    if (/^2\d\d$/.test(answer)) return answer
    if (Date.now() > deadline) {
      throw new TaskError(`${url} is not well after ${patience / 1000} s: ${answer}`, {
        next: `curl -i ${url}   # on ${host.name}`,
      })
    }
    await pause(500)
  }
}

/** @returns the status */
async function ask(host: Host, url: URL): Promise<string> {
  const isSecure = url.protocol === 'https:'
  const stream = await host.dial(url.hostname, Number(url.port || (isSecure ? 443 : 80)))
  const through: Duplex = isSecure ? connect({ socket: stream, servername: url.hostname }) : stream
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        host: url.hostname,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host },
        // Without an agent of its own, or that would make the connection itself.
        createConnection: () => through,
        timeout: answerPatience,
      },
      (response) => {
        response.resume()
        stream.destroy()
        resolve(String(response.statusCode))
      },
    )
    asking.once('error', reject)
    asking.once('timeout', () => asking.destroy(new Error('no answer')))
    asking.end()
  })
}
