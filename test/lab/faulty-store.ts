/**
 * A way to the lab's store on which things go wrong, each on a port of its own, for a test on the workstation: bytes go
 * to the real store and come back from it, but for the fault.
 *
 *   node --import tsx test/lab/faulty-store.ts      # says "ready", ends with its stdin
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

import { faults, type Fault, portOf } from './faults/store-faults.ts'
import { storeEndpoint } from './machines.ts'

/** Of each fault, how often it has struck. */
const struck = new Map<Fault, number>()

function strikes(fault: Fault, call: IncomingMessage): boolean {
  const url = new URL(call.url ?? '/', storeEndpoint)
  const part = Number(url.searchParams.get('partNumber') ?? 0)
  switch (fault) {
    case 'full':
    case 'failing':
    case 'cut':
    case 'stuck':
      return call.method === 'PUT' && part === 2
    case 'cut-once':
      return call.method === 'PUT' && part === 2 && !struck.has(fault)
    case 'slow':
      return call.method === 'PUT' && part > 0
    case 'flipping':
    case 'short':
      return call.method === 'GET' && url.pathname.endsWith('dump.age')
    case 'no-manifest':
      return call.method === 'PUT' && url.pathname.endsWith('manifest.json')
  }
}

async function serve(fault: Fault, call: IncomingMessage, answer: ServerResponse): Promise<void> {
  const hit = strikes(fault, call)
  if (hit) struck.set(fault, (struck.get(fault) ?? 0) + 1)
  if (hit && fault.startsWith('cut')) {
    call.once('data', () => call.socket.destroy())
    return
  }
  if (hit && (fault === 'full' || fault === 'failing' || fault === 'no-manifest')) {
    call.resume()
    const [status, code] = fault === 'full' ? [507, 'InsufficientStorage'] : [500, 'InternalError']
    answer.writeHead(status, { 'content-type': 'application/xml' })
    answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${fault}</Message></Error>`)
    return
  }
  if (hit && fault === 'slow') await pause(2500)
  if (hit && fault === 'stuck') return
  const onward = request(storeEndpoint, { method: call.method, path: call.url, headers: call.headers })
  call.pipe(onward)
  onward.on('error', () => answer.destroy())
  onward.on('response', (given) => {
    answer.writeHead(given.statusCode ?? 500, given.headers)
    let sent = 0
    given.on('data', (chunk: Buffer) => {
      if (hit && fault === 'short' && sent > 0) {
        answer.destroy()
        return
      }
      if (hit && fault === 'flipping' && sent === 0)
        chunk.writeUInt8(chunk.readUInt8(chunk.length - 1) ^ 1, chunk.length - 1)
      sent += chunk.length
      answer.write(chunk)
    })
    given.on('end', () => answer.end())
  })
}

for (const fault of faults) {
  createServer((call, answer) => void serve(fault, call, answer)).listen(portOf(fault), '127.0.0.1')
}
process.stdout.write('ready\n')
process.stdin.resume().on('end', () => process.exit())
