import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'

import { HostError } from '../host/errors.ts'

/** Whom we expect at the other end. */
export interface Peer {
  /** As messages name it. */
  name: string
  hostname: string
  /** SHA-256 of its certificate, `AA:BB:…`; without it the usual authorities decide. */
  fingerprint: string | undefined
  /** The field of the inventory that has, or should have, the fingerprint. */
  field: string
  /** Shows the fingerprint on the machine itself. */
  askThere: string
}

/**
 * TLS on a connection. With a fingerprint the certificate is that one and nothing else counts, as in Proxmox' own
 * clients: theirs are self-signed, or for another name than the one that is dialled. Nothing is sent before.
 * @throws HostError that shows the fingerprint that was seen
 */
export function secure(stream: Duplex, peer: Peer): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      socket: stream,
      // A certificate that is refused is looked at, so that its fingerprint can be told.
      rejectUnauthorized: false,
      host: peer.hostname,
      ...(isIP(peer.hostname) === 0 ? { servername: peer.hostname } : {}),
    })
    const fail = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    socket.once('error', fail)
    socket.once('secureConnect', () => {
      const seen = socket.getPeerX509Certificate()?.fingerprint256
      const problem = problemOf(peer, seen, socket)
      if (problem) return fail(problem)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

function problemOf(peer: Peer, seen: string | undefined, socket: TLSSocket): HostError | undefined {
  const { name, fingerprint, field, askThere } = peer
  if (fingerprint === undefined) {
    if (socket.authorized) return undefined
    return new HostError(
      name,
      'unknown-key',
      `its certificate is not trusted (${String(socket.authorizationError)}); its fingerprint is ${seen}`,
      `compare it with what ${askThere} shows there, then set ${field} in the inventory`,
    )
  }
  if (seen?.toUpperCase() === fingerprint.toUpperCase()) return undefined
  return new HostError(
    name,
    'changed-key',
    `it shows another certificate than ${field} says: ${seen}, not ${fingerprint.toUpperCase()}; nothing was sent`,
    `somebody is in between, or the certificate was renewed: compare it with what ${askThere} shows there`,
  )
}
