import { type Duplex, duplexPair } from 'node:stream'

/** What a scripted server does with a client. */
export interface Backend {
  /** undefined: anybody may come in. */
  password?: string
  /** Said to everybody who comes in. */
  refusal?: string
  /** @throws with the server's words */
  query: (text: string) => Record<string, unknown>[]
}

/** What a client said when it came, and what it asked. */
export interface Conversation {
  user: string
  database: string
  application: string
  queries: string[]
}

/**
 * The server's side of PostgreSQL's protocol 3.0, as much as one client needs: a password in clear
 * text, and simple queries.
 */
export function backend({ password, refusal, query }: Backend): {
  client: Duplex
  said: Conversation
  hangUp: () => void
} {
  const [client, server] = duplexPair()
  const said: Conversation = { user: '', database: '', application: '', queries: [] }
  let buffer = Buffer.alloc(0)
  let started = false

  server.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    const head = started ? 1 : 0
    while (buffer.length >= head + 4 && buffer.length >= head + buffer.readInt32BE(head)) {
      const end = (started ? 1 : 0) + buffer.readInt32BE(started ? 1 : 0)
      const message = buffer.subarray(0, end)
      buffer = buffer.subarray(end)
      if (started) answer(String.fromCharCode(message[0] ?? 0), text(message.subarray(5)))
      else start(message.subarray(8).toString().split('\0'))
    }
  })

  function start(words: string[]): void {
    started = true
    const of = (key: string): string => words[words.indexOf(key) + 1] ?? ''
    Object.assign(said, { user: of('user'), database: of('database'), application: of('application_name') })
    if (password === undefined) welcome()
    else send('R', int32(3))
  }

  function answer(type: string, content: string): void {
    if (type === 'p') {
      if (refusal !== undefined) refuse(refusal)
      else if (content === password) welcome()
      else refuse(`password authentication failed for user "${said.user}"`)
    } else if (type === 'Q') {
      said.queries.push(content)
      try {
        rows(query(content))
      } catch (error) {
        refuse(error instanceof Error ? error.message : String(error))
      }
      send('Z', Buffer.from('I'))
    } else if (type === 'X') {
      server.end()
    }
  }

  function welcome(): void {
    send('R', int32(0))
    send('Z', Buffer.from('I'))
  }

  function refuse(message: string): void {
    send('E', Buffer.from(`SERROR\0C28P01\0M${message}\0\0`))
  }

  function rows(all: Record<string, unknown>[]): void {
    const columns = Object.entries(all[0] ?? {})
    const fields = columns.map(([name, value]) =>
      Buffer.concat([
        Buffer.from(`${name}\0`),
        int32(0),
        int16(0),
        int32(encoded(value).type),
        int16(-1),
        int32(-1),
        int16(0),
      ]),
    )
    send('T', int16(columns.length), ...fields)
    for (const row of all) {
      const values = Object.values(row).map((value) => Buffer.from(encoded(value).text))
      send('D', int16(values.length), ...values.flatMap((value) => [int32(value.length), value]))
    }
    send('C', Buffer.from('SELECT\0'))
  }

  function send(type: string, ...parts: Buffer[]): void {
    const body = Buffer.concat(parts)
    server.write(Buffer.concat([Buffer.from(type), int32(body.length + 4), body]))
  }

  return { client, said, hangUp: () => void client.destroy() }
}

/** With the numbers that pg_type has for them. */
function encoded(value: unknown): { type: number; text: string } {
  if (typeof value === 'boolean') return { type: 16, text: value ? 't' : 'f' }
  if (typeof value === 'number') return { type: 23, text: String(value) }
  if (value instanceof Date)
    return { type: 1184, text: value.toISOString().replace('T', ' ').replace('Z', '+00') }
  return { type: 25, text: String(value) }
}

function text(bytes: Buffer): string {
  return bytes.toString().replace(/\0$/, '')
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
