/**
 * Compares the schema of a database with what the app's migrations make of an empty one: runs them in the shadow
 * database, and lists what is missing, surplus or different. Empties the shadow database before and after, and
 * changes nothing else. Safe to run again.
 *
 *   npx tsx tasks/pg-drift.ts --database weltenwind
 *   npx tsx tasks/pg-drift.ts --database weltenwind --yes   # scripts; exit code 1: there is drift
 */
import * as z from 'zod'

import { appShell } from '../lib/app/app.ts'
import { readDatabases } from '../lib/postgres/catalog.ts'
import { claimDatabase, undoCommand } from '../lib/postgres/claim.ts'
import { findPrimaryAgain } from '../lib/postgres/cluster.ts'
import { recreateShadow } from '../lib/postgres/database.ts'
import { compareSchemas, describeDifference, readSchema } from '../lib/postgres/drift/schema.ts'
import { fillShadow } from '../lib/postgres/drift/shadow.ts'
import {
  describeDriftSurvey,
  driftPreflight,
  type DriftSurvey,
  migratingApp,
  surveyDrift,
} from '../lib/postgres/drift/survey.ts'
import type { Server } from '../lib/postgres/server.ts'
import { databaseFlags, type DatabaseTarget } from '../lib/postgres/target.ts'
import type { Proof } from '../lib/task/confirm.ts'
import { TaskError } from '../lib/task/errors.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = databaseFlags.pick({ database: true })
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'pg-drift',
  summary: 'Compare the schema of a database with its migrations',
  details:
    'Empties the shadow database before and after, and changes nothing else. The exit code is 1 when there is ' +
    'drift. Safe to run again.',
  examples: [
    'npx tsx tasks/pg-drift.ts --database weltenwind',
    'npx tsx tasks/pg-drift.ts --database weltenwind --yes',
  ],
  flags,
  preflight: ({ estate, flags: given }) => driftPreflight(estate, given),
  async run(session) {
    const { target, primary } = await claimDatabase(session, session.flags.database)
    const { name } = target
    const { server } = primary
    const entry = migratingApp(session.estate, target)
    const shadow = target.database.shadow
    if (!entry?.migrations || shadow === undefined) throw new TaskError(`${name} cannot be compared`)
    const folder = entry.migrations
    const shell = await appShell(session.hosts, entry)
    const survey = await session.step(`Look at ${name}`, () =>
      surveyDrift(server, target, shell, folder, undoCommand(session, target)),
    )
    session.note(describeDriftSurvey(name, survey))
    const proof = await session.confirm(
      shadow,
      `This empties the shadow database ${shadow} on ${server.name}.`,
    )
    const comparison = await compare(session, target, server, { survey, shadow, proof })
    if (comparison) report(session, target, survey, comparison)
    else session.note(`a dry run leaves ${shadow} as it is, so ${name} was compared with nothing`)
  },
})

interface Shadow {
  survey: DriftSurvey
  shadow: string
  proof: Proof
}

/** @returns undefined in a dry run */
async function compare(
  session: Session<Flags>,
  target: DatabaseTarget,
  server: Server,
  { survey, shadow, proof }: Shadow,
) {
  const { name, database } = target
  const create = { name: shadow, owner: database.owner, like: survey.database }
  const empty = async (on: Server): Promise<void> => {
    const present = (await readDatabases(on)).find((facts) => facts.name === shadow)
    await recreateShadow(on, present, create, proof, shadow)
  }
  try {
    await session.step(`Empty ${shadow}`, () => empty(server))
    const stuck = await session.step(`Run the migrations in ${shadow}`, (step) =>
      fillShadow(server, shadow, database.owner, survey.files, (file) => (step.detail = file)),
    )
    const differences = session.dryRun
      ? undefined
      : await session.step(`Compare ${name} with ${shadow}`, async () => {
          const [expected, found] = await Promise.all([readSchema(server, shadow), readSchema(server, name)])
          return compareSchemas(expected, found)
        })
    await session.step(`Empty ${shadow} again`, () => empty(server))
    return differences && { differences, stuck }
  } catch (error) {
    return session.recover(error, {
      title: `Empty ${shadow} again`,
      next: session.command('pg-drift', ['--database', session.flags.database]),
      work: async () => {
        await empty((await findPrimaryAgain(session, target.cluster)).server)
        return `${shadow} is empty, and ${name} was not touched`
      },
    })
  }
}

/** @throws TaskError when there is drift */
function report(
  session: Session<Flags>,
  { name, database }: DatabaseTarget,
  { files, pending, failed }: DriftSurvey,
  { differences, stuck }: NonNullable<Awaited<ReturnType<typeof compare>>>,
): void {
  const lines = differences.map(describeDifference)
  const upTo = stuck ? ` before ${stuck.name}` : ''
  const text =
    lines.length === 0
      ? `${name} is what its migrations${upTo} make`
      : [`${name} is not what its migrations${upTo} make:`, ...lines.map((line) => `  ${line}`)].join('\n')
  session.show('schema-drift', { database: name, differences, stuck: stuck ?? null, pending, failed }, text)
  if (stuck) session.warn(`${stuck.name} does not run on what those before it make: ${stuck.reason}`)
  if (!stuck && lines.length === 0) return
  const again = ['--database', session.flags.database]
  const next =
    pending.length > 0 && failed.length === 0
      ? `bring it up to date: ${session.command('pg-migrate', again)}`
      : database.environment === 'production'
        ? undefined
        : `if its data may go: ${session.command('pg-reset', again)}`
  throw new TaskError(
    stuck
      ? `${lines.length} differences, and the migrations end at ${stuck.name} of ${files.length}`
      : `${lines.length} differences between ${name} and its ${files.length} migrations`,
    { next },
  )
}

await runIfMain(import.meta, task)
