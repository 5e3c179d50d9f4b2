import type { Environment } from '../../inventory/inventory.ts'

/** SGR numbers (ECMA-48, 8.3.117), bold. */
const colours = {
  production: '1;31',
  staging: '1;33',
  development: '1;32',
  test: '1;32',
} as const satisfies Record<Environment, string>

/**
 * The prompt of psql: `production weltenwind@pg-primary=# `. Written in psql's own signs (psql(1), "Prompting"), so
 * that it follows `\c`, transactions and open quotes; what does not take room on screen stands in `%[ %]`.
 */
export function promptFor(environment: Environment | undefined, place: string, coloured: boolean): string {
  const words = `${environment === undefined ? '' : `${environment} `}%/@${place}%R%x%#`
  if (environment === undefined || !coloured) return `${words} `
  return `%[%033[${colours[environment]}m%]${words}%[%033[0m%] `
}
