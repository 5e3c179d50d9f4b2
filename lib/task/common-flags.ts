import * as z from 'zod'

// Apart from flags.ts, so that help, which has to come at once, loads nothing that reads a command line.

/** What every task understands. */
export const commonFlags = z.object({
  help: z.boolean().default(false).describe('show this text'),
  dryRun: z.boolean().default(false).describe('show what would be changed, and change nothing'),
  yes: z.boolean().default(false).describe('do not ask before something is destroyed (for scripts)'),
  inventory: z.string().optional().meta({ description: 'the inventory to work on', placeholder: 'FILE' }),
  json: z.boolean().default(false).describe('one JSON event a line on stdout (docs/json-events.md)'),
  verbose: z.boolean().default(false).describe('show every change that was made, too'),
  quiet: z.boolean().default(false).describe('print nothing when all is well (for cron)'),
})

export type CommonFlags = z.output<typeof commonFlags>

/** Help is given whatever else the command line says. */
export function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).some((arg) => arg === '--help' || arg === '-h')
}
