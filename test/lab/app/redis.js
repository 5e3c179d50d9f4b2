import { connect } from 'node:net'

/** Asks redis for PONG on a fresh connection. Rejects after `timeout` milliseconds. */
export function ping(url, timeout) {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port || 6379), timeout })
    socket.once('connect', () => socket.write('PING\r\n'))
    socket.once('data', (data) => {
      socket.destroy()
      const answer = data.toString().trim()
      if (answer === '+PONG') resolve()
      else reject(new Error(`redis at ${hostname} answered ${answer}`))
    })
    socket.once('timeout', () =>
      socket.destroy(new Error(`redis at ${hostname} was silent for ${timeout} ms`)),
    )
    socket.once('error', reject)
  })
}
