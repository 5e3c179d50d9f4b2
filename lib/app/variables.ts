/** A password of PostgreSQL, by the name of its variable: `PGPASSWORD=…`, `export SHOP_DB_PASSWORD="…"`. */
const line =
  /^(\s*(?:export\s+)?)((?:\w+_)?(?:PGPASSWORD|(?:POSTGRES(?:QL)?|PG|DB|DATABASE)_(?:PASSWORD|PASS|PWD)))([^\S\n]*=[^\S\n]*)(["']?)([^\s"'#]*)\4(?=[^\S\n]*(?:#.*)?$)/gm

/**
 * The text with another password in each variable that is named for one of PostgreSQL, holds exactly the old one,
 * and does not stand beside the name of another role. Everything else is as it was.
 */
export function withVariable(text: string, role: string, old: string, password: string): string {
  return text.replace(
    line,
    (whole: string, start: string, name: string, equals: string, mark: string, value: string) =>
      value === old && !isOfAnother(text, name, role)
        ? `${start}${name}${equals}${mark}${password}${mark}`
        : whole,
  )
}

/** The passwords among these that stand in such variables of a role, each once. */
export function variablePasswords(text: string, role: string, known: readonly string[]): string[] {
  const found = [...text.matchAll(line)].flatMap(([, , name = '', , , value = '']) =>
    known.includes(value) && !isOfAnother(text, name, role) ? [value] : [],
  )
  return [...new Set(found)]
}

/** `DB_PASSWORD` goes with `DB_USER` or `DB_USERNAME`, `PGPASSWORD` with `PGUSER`. */
function isOfAnother(text: string, name: string, role: string): boolean {
  const stem = name.replace(/(PASSWORD|PASS|PWD)$/, '')
  const users = new RegExp(`^\\s*(?:export\\s+)?${stem}(?:USER|USERNAME)\\s*=\\s*["']?([^\\s"'#]+)`, 'gm')
  const names = [...text.matchAll(users)].map(([, user]) => user)
  return names.length > 0 && !names.includes(role)
}
