import type { Duplex } from 'node:stream'

/**
 * Lets the pg driver use a stream that is connected already, such as a channel through SSH: it
 * calls `connect` and waits for the event, and sets options that only sockets have.
 */
export function connected(stream: Duplex): Duplex {
  const same = (): Duplex => stream
  return Object.assign(stream, {
    connect: () => {
      setImmediate(() => stream.emit('connect'))
      return stream
    },
    setNoDelay: same,
    setKeepAlive: same,
    ref: same,
    unref: same,
  })
}
