/** How a standby finds its primary; both settings stand in postgresql.auto.conf, where pg_basebackup puts them too. */
export interface Following {
  conninfo: string
  slot: string
}

const ours = /^\s*(?:primary_conninfo|primary_slot_name)\s*=/

/** The text of a postgresql.auto.conf with these settings in it; the same text when they are in it already. */
export function withFollowing(text: string, { conninfo, slot }: Following): string {
  const others = text.split('\n').filter((line) => !ours.test(line) && line !== '')
  const settings = { primary_conninfo: conninfo, primary_slot_name: slot }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`)
  return [...others, ...lines, ''].join('\n')
}

/** A libpq connection string. Values are quoted, so that any role's name fits. */
export function conninfoText(parts: Record<string, string | number>): string {
  return Object.entries(parts)
    .map(([key, value]) => {
      const escaped = String(value)
        .replaceAll('\\', String.raw`\\`)
        .replaceAll("'", String.raw`\'`)
      return /^[\w./-]+$/.test(escaped) ? `${key}=${escaped}` : `${key}='${escaped}'`
    })
    .join(' ')
}

/** A line of a password file that fits every server and database: the file is for one role's use only. */
export function passLine(role: string, password: string): string {
  return `*:*:*:${passEscape(role)}:${passEscape(password)}\n`
}

export function passEscape(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll(':', String.raw`\:`)
}
