import * as z from 'zod'

/** A position in the write-ahead log as PostgreSQL prints it: `16/B374D848`. */
export const Lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/)

/** The position as a number of bytes since the cluster was made. */
export function bytesAt(lsn: string): bigint {
  const [high = '', low = ''] = Lsn.parse(lsn).split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}

/** How many bytes `to` is ahead of `from`; negative when it is behind. */
export function bytesBetween(from: string, to: string): number {
  return Number(bytesAt(to) - bytesAt(from))
}

/** The number of the WAL file that holds a position, counted over all timelines. */
export function segmentOf(lsn: string, segmentSize: number): bigint {
  return bytesAt(lsn) / BigInt(segmentSize)
}

/** The same from a file's name: timeline, then two halves of 8 hexadecimal digits each. */
export function segmentOfFile(name: string, segmentSize: number): bigint {
  const perHigh = 0x1_0000_0000n / BigInt(segmentSize)
  return BigInt(`0x${name.slice(8, 16)}`) * perHigh + BigInt(`0x${name.slice(16, 24)}`)
}
