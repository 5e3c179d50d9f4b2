/**
 * Shows how the PostgreSQL servers of the estate are: role, version, sizes, connections, replication,
 * transactions, vacuum, kept copies, migrations. Changes nothing, and takes no lock.
 *
 *   npx tsx tasks/pg-status.ts                   # all clusters
 *   npx tsx tasks/pg-status.ts --cluster main
 *   npx tsx tasks/pg-status.ts --json | jq 'select(.event == "data").data.warnings'
 */
import * as z from 'zod'

import { statusData } from '../lib/postgres/status/data.ts'
import { describeStatus } from '../lib/postgres/status/report.ts'
import { type ClusterStatus, type DatabaseStatus, surveyCluster } from '../lib/postgres/status/survey.ts'
import { statusWarnings } from '../lib/postgres/status/warnings.ts'
import { fromProblems } from '../lib/task/errors.ts'
import { exitCode } from '../lib/task/exit-code.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  cluster: z
    .string()
    .optional()
    .meta({ description: 'only this one, as the inventory calls it', placeholder: 'NAME' }),
})
type Flags = z.output<typeof flags>

export const task = defineTask({
  name: 'pg-status',
  summary: 'Show how the PostgreSQL servers and their databases are',
  details:
    'Changes nothing and takes no lock. A machine that does not answer is named and does not stop the rest; ' +
    'the exit code is 3 when nobody of a cluster answered, and 1 when a cluster has two primaries.',
  examples: ['npx tsx tasks/pg-status.ts', 'npx tsx tasks/pg-status.ts --cluster main --json'],
  flags,
  preflight: ({ estate, flags: { cluster } }) => {
    const names = cluster === undefined ? Object.keys(estate.postgres) : [cluster]
    const clusters = names.map((name) => estate.cluster(name))
    return {
      problems: names.length === 0 ? [`${estate.file} has no PostgreSQL cluster`] : [],
      secrets: clusters.flatMap((one) => ('url' in one ? [one.url] : [])),
      // Not here, where a cluster that does not answer would hide the others.
      reach: [],
    }
  },
  async run(session) {
    const { estate, flags: given } = session
    const names = given.cluster === undefined ? Object.keys(estate.postgres) : [given.cluster]
    const all = await session.step(`Ask the servers of ${names.join(', ')}`, () =>
      Promise.all(names.map((name) => surveyCluster(session, name))),
    )
    for (const status of all) show(session, status)
    const problems = all.flatMap(clusterProblems)
    if (problems.length === 0) return
    throw fromProblems(
      problems.map(({ text }) => text),
      { code: problems[0]?.code },
    )
  },
})

function show(session: Session<Flags>, status: ClusterStatus): void {
  const { version } = session.estate.cluster(status.cluster)
  const warnings = statusWarnings(status, version, (database) => repairCommand(session, status, database))
  session.show('postgres-cluster', statusData(status, warnings), describeStatus(status))
  for (const warning of warnings) session.warn(warning)
}

function clusterProblems({ cluster, servers, silent }: ClusterStatus) {
  const primaries = servers.flatMap(({ name, role }) => (role === 'primary' ? [name] : []))
  if (primaries.length > 1) {
    const text = `two primaries in ${cluster}: ${primaries.join(' and ')}; find out which one the app writes to, and stop the other one`
    return [{ text, code: exitCode.failed }]
  }
  if (servers.length > 0) return []
  const reasons = silent.map(({ reason }) => reason).join('; ')
  return [{ text: `nobody of ${cluster} answered: ${reasons}`, code: silent[0]?.code }]
}

function repairCommand(
  session: Session<Flags>,
  { cluster }: ClusterStatus,
  { name, environment }: DatabaseStatus,
): string {
  const confirm = environment === 'production' ? ['--confirm', name] : []
  return session.command('pg-reset', ['--database', `${cluster}/${name}`, '--undo', ...confirm])
}

await runIfMain(import.meta, task)
