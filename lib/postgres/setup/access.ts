import { setTimeout as pause } from 'node:timers/promises'

import { z } from 'zod'

import type { Run } from '../../host/events.ts'
import { TaskError } from '../../task/errors.ts'
import { blockLines, type HbaRule, ownWayIn, readHbaRules, withBlock } from '../hba.ts'
import { checkConf, type Instance, isStale, reload } from '../instance.ts'
import { PostgresError, type Server } from '../server.ts'
import { sql } from '../sql.ts'

/** pg_hba.conf of one machine: as it is, and as it is to be. */
interface AccessPlan {
  instance: Instance
  file: string
  before: string
  after: string
}

function hbaFile({ cluster }: Instance): string {
  return `${cluster.folder}/pg_hba.conf`
}

/**
 * @param lines from the inventory
 * @throws TaskError for a line by hand that PostgreSQL does not take, and for a damaged block
 */
async function planAccess(instance: Instance, lines: string[], run: Run): Promise<AccessPlan> {
  const { host, name, cluster } = instance
  const file = hbaFile(instance)
  const before = await host.readFile(file)
  if (before === undefined && !run.dryRun) {
    throw new TaskError(`there is no ${file} on ${name}`, {
      next: 'give it back from a backup; without it PostgreSQL does not start',
    })
  }
  const where = `${file} on ${name}`
  const after = withBlock(before ?? '', lines, where)
  if (cluster.running) {
    const block = blockLines(before ?? '', where)
    const [rules] = await Promise.all([readHbaRules(instance.server), checkConf(instance)])
    const wrong = rules.find(
      ({ error, line }) => error !== null && !(block && line > block.from && line < block.to),
    )
    if (wrong) {
      throw new TaskError(
        `${wrong.file ?? file} line ${wrong.line} on ${name}: ${wrong.error}; nothing was changed`,
        {
          next: 'correct that line, which is not one of ours; PostgreSQL takes the whole file or none of it',
        },
      )
    }
  }
  return { instance, file, before: before ?? '', after }
}

/** What would change, as a diff; undefined: nothing. */
async function describeAccess({ file, before, after }: AccessPlan): Promise<string | undefined> {
  if (before === after) return undefined
  const { createTwoFilesPatch } = await import('diff')
  return createTwoFilesPatch(file, file, before, after, '', '', { context: 2 }).trimEnd()
}

/**
 * Writes the file, has PostgreSQL check it, and lets the server read it. Where a line has an error, or we
 * ourselves could not come in any more, the old file is put back.
 */
async function applyAccess({ instance, file, before, after }: AccessPlan, run: Run): Promise<void> {
  const { host, cluster, name, server } = instance
  if (before === after) {
    run.onChange({ state: 'unchanged', host: name, user: 'root', command: `write ${file}` })
    if (!cluster.running || !(await isStale(instance, file))) return
  } else {
    await host.write(file, after)
    if (!cluster.running) return
  }
  if (run.dryRun) {
    await reload(instance, run)
    return
  }
  const wrong = whatIsWrong(await readHbaRules(server), file)
  if (wrong !== undefined) {
    await host.write(file, before)
    throw new TaskError(`${wrong} on ${name}; the old file is back, and nothing of the new one was in force`)
  }
  try {
    await reload(instance, run)
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error
    await host.write(file, before)
    await host.change`pg_ctlcluster ${cluster.version} ${cluster.name} reload`
    const isBack = await canComeIn(server)
    throw new TaskError(
      isBack
        ? `with the new ${file} we could not log in on ${name} any more; the old file is back and in force`
        : `we cannot log in on ${name} any more; the old ${file} is back, but it does not let us in either`,
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
 */
export async function bringAccess(
  instance: Instance,
  lines: string[],
  run: Run,
  show: (difference: string) => void,
): Promise<void> {
  const plan = await planAccess(instance, lines, run)
  const difference = await describeAccess(plan)
  if (difference !== undefined && !run.dryRun) show(difference)
  await applyAccess(plan, run)
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
