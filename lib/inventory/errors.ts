/** One thing wrong with the inventory. `line` and `column` count from 1, in UTF-16 units as editors do. */
export interface Problem {
  file: string
  line: number
  column: number
  /** Where in the structure, as `hosts.pg-primary.ssh.jump`; empty for the file itself. */
  path: string
  message: string
  hint?: string
}

/** The inventory cannot be used. Holds every problem found; the message lists them, one a line. */
export class InventoryError extends Error {
  readonly problems: Problem[]

  constructor(problems: Problem[]) {
    super(problems.map(problemText).join('\n'))
    this.name = 'InventoryError'
    this.problems = problems
  }
}

/** A question the inventory cannot answer: an unknown name, a secret that is not set. */
export class EstateError extends Error {
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.name = 'EstateError'
    this.hint = hint
  }
}

/** `inventory.json:12:7 hosts.web.ssh.jump: no host is called "pvee". Did you mean "pve"?` */
export function problemText(problem: Problem): string {
  const where = `${problem.file}:${problem.line}:${problem.column}`
  const what = problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`
  return problem.hint === undefined ? `${where} ${what}` : `${where} ${what}. ${problem.hint}`
}
