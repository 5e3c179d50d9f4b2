import { plainLocale } from '../debian.ts'
import type { Node } from './nodes.ts'
import type { Standing } from './replication.ts'

/** What the files of a server take for granted, beside its version. */
export interface Platform {
  architecture: string
  /** Name and version, as `glibc 2.36`. */
  libc: string
  /** Version of the ICU library that the server is linked with; empty without one. */
  icu: string
  locales: string[]
}

/**
 * Why the files of the primary would be read in another way on this machine. A standby with another order of
 * text replays everything, and gives wrong answers from its indexes.
 */
export function platformProblems(primary: Node, standing: Standing, { name, facts }: Node): string[] {
  const own = facts.platform
  const its = primary.facts.platform
  if (own.architecture !== its.architecture) {
    return [
      `${name} is ${own.architecture}, and ${primary.name} ${its.architecture}: the files of one mean nothing to the other`,
    ]
  }
  const problems: string[] = []
  const there = new Set(own.locales.map((one) => plainLocale(one)))
  const wanted = new Set(standing.sorting.flatMap(({ collate, ctype }) => [collate, ctype]))
  const missing = [...wanted].filter((one) => !isBuiltIn(one) && !there.has(plainLocale(one)))
  for (const locale of missing) {
    problems.push(
      `${name} has no locale ${locale}, which databases of ${primary.name} have: nobody could connect to them there\n` +
        `  next: apt-get install locales && localedef -i ${locale.split('.')[0]} -f UTF-8 ${locale}   # on ${name}`,
    )
  }
  const by = (provider: string): string[] =>
    standing.sorting
      .filter((one) => one.provider === provider && (provider !== 'c' || !isPlain(one.collate)))
      .map(({ database }) => database)
  const orders = [
    { databases: by('c'), own: own.libc, its: its.libc },
    { databases: by('i'), own: `ICU ${own.icu}`, its: `ICU ${its.icu}` },
  ]
  for (const order of orders) {
    if (order.databases.length === 0 || order.own === order.its) continue
    problems.push(
      `text in ${order.databases.join(', ')} is sorted by ${order.its} on ${primary.name}, and ${name} has ${order.own}: ` +
        'indexes would be wrong there. Give both machines the same release of the distribution',
    )
  }
  return problems
}

/** Every machine has it. */
function isBuiltIn(locale: string): boolean {
  return ['C', 'POSIX'].includes(locale)
}

/** Sorted by the numbers of the letters, in every version. */
function isPlain(collate: string): boolean {
  return /^(C|POSIX)(\.|$)/.test(collate)
}
