import { setTimeout as pause } from 'node:timers/promises'

import * as z from 'zod'

import type { Run } from '../../host/events.ts'
import { TaskError } from '../../task/errors.ts'
import { blockLines, type HbaRule, ownWayIn, readHbaRules, withBlock } from '../hba.ts'
import { type ConfFile, type Instance, readConfFile, reload } from '../instance.ts'
import { PostgresError, type Server } from '../server.ts'
import { sql } from '../sql.ts'

/** pg_hba.conf of one machine, and what PostgreSQL reads in it; no rules of a server that is not running. */
export interface AccessFacts {
  file: ConfFile
  rules: HbaRule[]
}

/** pg_hba.conf as it is, and as it is to be. */
interface AccessPlan {
  instance: Instance
  path: string
  before: string
  after: string
  stale: boolean
}

function hbaFile({ cluster }: Instance): string {
  return `${cluster.folder}/pg_hba.conf`
}

export async function lookAtAccess(instance: Instance): Promise<AccessFacts> {
  const [file, rules] = await Promise.all([
    readConfFile(instance, hbaFile(instance)),
    instance.cluster.running ? readHbaRules(instance.server) : [],
  ])
  return { file, rules }
}

/**
 * @param lines from the inventory
 * @throws TaskError for a line by hand that PostgreSQL does not take, and for a damaged block
 */
function planAccess(instance: Instance, { file, rules }: AccessFacts, lines: string[], run: Run): AccessPlan {
  const { name } = instance
  const path = hbaFile(instance)
  if (file.text === undefined && !run.dryRun) {
    throw new TaskError(`there is no ${path} on ${name}`, {
      next: 'give it back from a backup; without it PostgreSQL does not start',
    })
  }
  const before = file.text ?? ''
  const where = `${path} on ${name}`
  const after = withBlock(before, lines, where)
  const block = blockLines(before, where)
  const wrong = rules.find(
    ({ error, line }) => error !== null && !(block && line > block.from && line < block.to),
  )
  if (wrong) {
    throw new TaskError(
      `${wrong.file ?? path} line ${wrong.line} on ${name}: ${wrong.error}; nothing was changed`,
      {
        next: 'correct that line, which is not one of ours; PostgreSQL takes the whole file or none of it',
      },
    )
  }
  return { instance, path, before, after, stale: file.stale }
}

/** What would change, as a diff; undefined: nothing. */
async function describeAccess({ path, before, after }: AccessPlan): Promise<string | undefined> {
  if (before === after) return undefined
  const { createTwoFilesPatch } = await import('diff')
  return createTwoFilesPatch(path, path, before, after, '', '', { context: 2 }).trimEnd()
}

/**
 * Writes the file, has PostgreSQL check it, and lets the server read it. Where a line has an error, or we
 * ourselves could not come in any more, the old file is put back.
 */
async function applyAccess({ instance, path, before, after }: AccessPlan, run: Run): Promise<void> {
  const { host, cluster, name, server } = instance
  if (before !== after) await host.write(path, after)
  if (!cluster.running) return
  if (run.dryRun) {
    await reload(instance, run)
    return
  }
  const wrong = whatIsWrong(await readHbaRules(server), path)
  if (wrong !== undefined) {
    await host.write(path, before)
    throw new TaskError(`${wrong} on ${name}; the old file is back, and nothing of the new one was in force`)
  }
  try {
    await reload(instance, run)
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error
    await host.write(path, before)
    await host.change`pg_ctlcluster ${cluster.version} ${cluster.name} reload`
    const isBack = await canComeIn(server)
    throw new TaskError(
      isBack
        ? `with the new ${path} we could not log in on ${name} any more; the old file is back and in force`
        : `we cannot log in on ${name} any more; the old ${path} is back, but it does not let us in either`,
      {
        seen: error.message,
        next: isBack
          ? undefined
          : 'pg_hba.conf or pg_ident.conf was edited by hand and not in force until now: look at its lines for local connections of postgres',
        cause: error,
      },
    )
  }
}

/** The server may not have read the old file yet. */
async function canComeIn(server: Server): Promise<boolean> {
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      await server.select(z.object({ one: z.number() }), sql`select 1 as one`)
      return true
    } catch (error) {
      if (!(error instanceof PostgresError)) throw error
      await pause(100)
    }
  }
  return false
}

/**
 * Brings pg_hba.conf to the access rules.
 * @param show is given the diff before it is written; not in a dry run, which shows it by itself
 * @returns whether there was anything to do
 */
export async function bringAccess(
  instance: Instance,
  facts: AccessFacts,
  lines: string[],
  run: Run,
  show: (difference: string) => void,
): Promise<boolean> {
  const plan = planAccess(instance, facts, lines, run)
  const difference = await describeAccess(plan)
  if (difference === undefined) {
    run.onChange({ state: 'unchanged', host: instance.name, user: 'root', command: `write ${plan.path}` })
    if (!plan.stale) return false
  } else if (!run.dryRun) {
    show(difference)
  }
  await applyAccess(plan, run)
  return true
}

function whatIsWrong(rules: HbaRule[], file: string): string | undefined {
  const bad = rules.find(({ error }) => error !== null)
  if (bad) return `${bad.file ?? file} line ${bad.line}: ${bad.error}`
  const own = ownWayIn(rules)
  if (own && ['peer', 'trust'].includes(own.method ?? '')) return undefined
  const met = own ? `line ${own.line} asks it for ${own.method}` : 'no line lets it in'
  return `the role postgres could not log in by the local socket any more, and so neither could we: ${met} in ${file}`
}

/** Lines over TCP that ask for no password: whoever reaches the port is in. */
export function trustingRules(rules: HbaRule[]): HbaRule[] {
  return rules.filter(
    ({ type, method, address }) =>
      type?.startsWith('host') && method === 'trust' && !['127.0.0.1', '::1'].includes(address ?? ''),
  )
}

export function describeTrust(rule: HbaRule, instance: Instance): string {
  return `line ${rule.line} of ${rule.file ?? hbaFile(instance)} on ${instance.name} lets ${rule.user?.join(', ')} in from ${rule.address} without a password`
}
