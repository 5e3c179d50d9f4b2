import { hostname, userInfo } from 'node:os'

/** Who runs this, and from where: `anna@desk`, `root@desk (sudo by anna)`. */
export function operator(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const by = env['SUDO_USER'] === undefined ? '' : ` (sudo by ${env['SUDO_USER']})`
  return `${accountName()}@${hostname()}${by}`
}

function accountName(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run under a number that no account has.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
