import type { CommonFlags } from './common-flags.ts'
import { jsonLinesReporter } from './json-lines.ts'
import type { Environment, Output, Reporter } from './output.ts'
import { plainReporter } from './plain.ts'
import { treeReporter } from './tree.ts'

/** The tree where someone watches a terminal that can redraw; plain lines in cron, CI, pipes and with `--quiet`. */
export function reporterFor(
  flags: Pick<CommonFlags, 'json' | 'quiet' | 'verbose'>,
  output: Output<NodeJS.WriteStream> = process,
  env: Environment = process.env,
): Reporter {
  if (flags.json) return jsonLinesReporter(output)
  // CI systems give some jobs a terminal, and keep a log of it in which a redrawn line is noise.
  const watched = output.stdout.isTTY && env['TERM'] !== 'dumb' && (env['CI'] ?? '') === ''
  if (flags.quiet || !watched)
    return plainReporter(output, { quiet: flags.quiet, verbose: flags.verbose, env })
  return treeReporter(output, { verbose: flags.verbose, env })
}
