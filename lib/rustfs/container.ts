import type { Server } from './server.ts'

/** https://docs.rustfs.com: one disk, its log on the container's own, and no console. */
export const settings = {
  RUSTFS_VOLUMES: '/data',
  RUSTFS_ADDRESS: ':9000',
  RUSTFS_CONSOLE_ENABLE: 'false',
  RUSTFS_OBS_LOG_DIRECTORY: '',
}

/** The names under which the container is told its keys. */
export const keyNames = { accessKey: 'RUSTFS_ACCESS_KEY', secretKey: 'RUSTFS_SECRET_KEY' } as const

/** Whose container it is, and of which file it was made. */
export function labelsOf({ estate }: Server, print: string): Record<string, string> {
  return { 'hausmeister.estate': estate, 'hausmeister.stack': print }
}

/** `10.10.10.20:9000:9000` */
export function publishingOf({ address, port }: Server): string {
  return `${address}:${port}:9000`
}
