export type Segment = string | number
export type Path = readonly Segment[]

/** `hosts.pg-primary.ssh`, `postgres.main.access[0]`, `postgres.main.databases["two words"]` */
export function pathText(path: Path): string {
  let text = ''
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`
    else if (/^[\w$-]+$/.test(segment)) text += text === '' ? segment : `.${segment}`
    else text += `[${JSON.stringify(segment)}]`
  }
  return text
}
