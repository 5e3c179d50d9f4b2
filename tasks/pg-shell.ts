/**
 * Opens psql on the primary of a cluster, with a prompt that says where one is and is coloured by environment.
 * What is typed there is not ours to tell: the journal has that it was opened, by whom and where.
 *
 *   npx tsx tasks/pg-shell.ts                          # the only database
 *   npx tsx tasks/pg-shell.ts --database weltenwind
 *   npx tsx tasks/pg-shell.ts --cluster main           # its maintenance database
 */
import * as z from 'zod'

import { findPrimary } from '../lib/postgres/cluster.ts'
import { lookAround } from '../lib/postgres/shell/look.ts'
import { promptFor } from '../lib/postgres/shell/prompt.ts'
import { psqlOf } from '../lib/postgres/shell/psql.ts'
import { shellNeeds, shellTarget } from '../lib/postgres/shell/target.ts'
import { TaskError } from '../lib/task/errors.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'
import { terminalKind } from '../lib/task/terminal.ts'

const flags = z.object({
  database: z.string().optional().meta({
    description: 'the database, as the inventory calls it; default: the only one',
    placeholder: 'NAME',
  }),
  cluster: z.string().optional().meta({
    description: 'the cluster it is in; without --database its maintenance database is opened',
    placeholder: 'NAME',
  }),
})

export const task = defineTask({
  name: 'pg-shell',
  summary: 'Open psql on the primary, with a prompt coloured by environment',
  details:
    'Runs psql on the machine of the primary, as the user postgres over its socket; for a managed server on the ' +
    'machine that it is reached through. Needs a terminal. Takes no lock. The journal has that it was opened, and ' +
    'nothing of what was typed.',
  examples: ['npx tsx tasks/pg-shell.ts --database weltenwind', 'npx tsx tasks/pg-shell.ts --cluster main'],
  flags,
  takesTerminal: true,
  preflight: ({ estate, flags: given }) => shellNeeds(estate, shellTarget(estate, given)),
  async run(session) {
    const target = shellTarget(session.estate, session.flags)
    const primary = await session.step(`Find the primary of ${target.cluster}`, async (step) => {
      const found = await findPrimary(session, target.cluster)
      step.title = `Primary of ${target.cluster} is ${found.server.name}`
      return found
    })
    const { server } = primary
    for (const silent of primary.silent) session.warn(`no answer: ${silent}`)
    const { term, colours } = terminalKind()
    const dialogue = await session.step(`Open psql on ${server.name}`, async () => {
      const { environment, warnings } = await lookAround(session.estate, server, target)
      for (const warning of warnings) session.warn(warning)
      const prompt = promptFor(environment, server.name, colours)
      const { host, command, program } = await psqlOf(session, target, server.name, { prompt, term })
      return host.converse(command, program)
    })
    if (!dialogue) return
    const { code, signal } = await session.handOver((terminal) => dialogue.attach(terminal))
    if (code === 0) return
    throw new TaskError(`psql on ${server.name} ended with ${signal ?? `exit code ${code}`}`)
  },
})

await runIfMain(import.meta, task)
