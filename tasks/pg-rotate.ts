/**
 * Gives a role a new password everywhere it stands: server, .env, pooler, apps, standbys; restarts the apps.
 * Not twice the same: each run that ends well makes a new one. A run that was cut off is finished by the next.
 *
 *   npx tsx tasks/pg-rotate.ts --cluster main --role ww_app --dry-run
 *   npx tsx tasks/pg-rotate.ts --cluster main --role ww_app
 *   npx tsx tasks/pg-rotate.ts --cluster main --role ww_app --ask     # you type the new one
 */
import { randomBytes } from 'node:crypto'

import * as z from 'zod'

import { proveHealthy } from '../lib/app/health.ts'
import { proveRenewed, unitToRestart } from '../lib/app/renewal.ts'
import { restartApp } from '../lib/app/restart.ts'
import { changeEnvFile, plainSecret, readEnvFile } from '../lib/inventory/env-file.ts'
import { poolerOf } from '../lib/pgbouncer/poolers.ts'
import { findPrimary, type Primary } from '../lib/postgres/cluster.ts'
import { describePlaces, type Place } from '../lib/postgres/rotate/places.ts'
import { proveFollowing } from '../lib/postgres/rotate/proof.ts'
import { type RotateTarget, rotatePreflight, rotateTarget } from '../lib/postgres/rotate/target.ts'
import { absoluteEnvFile, countStandbys, findPlaces, proofsOf } from '../lib/postgres/rotate/where.ts'
import { TaskError } from '../lib/task/errors.ts'
import { exitCode } from '../lib/task/exit-code.ts'
import type { Session } from '../lib/task/session.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  cluster: z.string().meta({ description: 'the cluster, as the inventory calls it', placeholder: 'NAME' }),
  role: z.string().meta({ description: 'the role, as the inventory calls it', placeholder: 'NAME' }),
  ask: z.boolean().default(false).describe('ask for the new password instead of making one'),
})
type Flags = z.output<typeof flags>

/** How long an app may take to be well again. Milliseconds. */
const patience = 30_000

export const task = defineTask({
  name: 'pg-rotate',
  summary: 'Give a role a new password everywhere it stands',
  details:
    'Keeps the old password beside the new one in .env until everything is proven, so that nothing is lost ' +
    'when it is cut off: the next run finishes the job. Restarts the apps that log in as the role.',
  examples: [
    'npx tsx tasks/pg-rotate.ts --cluster main --role ww_app --dry-run',
    'npx tsx tasks/pg-rotate.ts --cluster main --role ww_app',
  ],
  flags,
  preflight: ({ estate, flags: given }) => rotatePreflight(estate, given),
  async run(session) {
    const target = rotateTarget(session.estate, session.flags)
    if (!target) throw new TaskError(`${session.flags.role} has no password`)
    const primary = await session.step(`Find the primary of ${target.cluster}`, async (step) => {
      const found = await findPrimary(session, target.cluster)
      step.title = `Primary of ${target.cluster} is ${found.server.name}`
      return found
    })
    for (const silent of primary.silent) session.warn(`no answer: ${silent}`)
    const lock = `rotate/${target.cluster}`
    await session.lock(lock, (holder) => primary.server.lock(lock, holder))
    // pg-pooler writes the same user list.
    const pooler = await poolerOf(session, target.cluster)
    const list = `pooler/${target.cluster}`
    if (pooler) await session.lock(list, (holder) => pooler.files.lock(list, holder))
    const { old, fresh } = await bothPasswords(session, target)
    const places = await findPlaces(session, target, primary, { old, fresh })
    const units = await findUnits(session, target, [old, fresh])
    try {
      await rotate(session, target, primary, { places, units }, old, fresh)
    } catch (error) {
      const again = session.command('pg-rotate', ['--cluster', target.cluster, '--role', target.role])
      await session.recover(error, {
        title: 'Look which place has which password',
        next: again,
        work: async () => {
          const lines = await describePlaces(places, old, fresh)
          const both = `${session.estate.secretsFile} has the new one as ${target.variable} and the old one as ${target.previous}`
          return [both, ...lines, `not finished; this finishes it: ${again}`].join('\n')
        },
      })
    }
  },
})

async function rotate(
  session: Session<Flags>,
  target: RotateTarget,
  primary: Primary,
  { places, units }: { places: Place[]; units: Units },
  old: string,
  fresh: string,
): Promise<void> {
  const { dryRun, estate, hosts } = session
  const { role, variable, previous } = target
  await session.step(`Keep both passwords in ${estate.secretsFile}`, () =>
    session.changeHere(`set ${variable} and ${previous} in ${estate.secretsFile}`, () =>
      changeEnvFile(estate.secretsFile, { [variable]: fresh, [previous]: old }),
    ),
  )
  for (const place of places) {
    await session.step(
      `Give ${place.name} the new one`,
      () => place.put(fresh),
      async () => {
        if ((await place.has(fresh)) === false) throw new TaskError(`${place.name} does not have it`)
      },
    )
  }
  for (const { name, app } of target.apps) {
    if (!app.envFile)
      session.warn(`app ${name} has no envFile in the inventory: give it the new one yourself`)
    await session.step(`Restart ${name} on ${app.host}`, async (step) => {
      if (await restartApp(app, await hosts.get(app.host), units.get(name))) {
        if (!dryRun) await proveRenewed(hosts, name, app, role, old)
        return
      }
      step.detail = 'left to you: the inventory does not say how it runs'
      session.warn(`restart ${name} on ${app.host} yourself: it still has the old password`)
    })
  }
  for (const { title, prove } of await proofsOf(session, target, primary)) {
    await session.prove(title, () => prove(old, fresh))
  }
  if (target.isReplication) {
    await session.step(`Let the standbys log in anew`, async (step) => {
      const standbys = await countStandbys(session, target.cluster)
      await proveFollowing(primary.server, role, standbys, dryRun)
      step.detail = `${standbys} of them`
    })
  }
  for (const { name, app } of target.apps) {
    const { health } = app
    if (health === undefined || app.runtime === 'command') continue
    await session.prove(`Wait until ${name} is well`, async (step) => {
      step.detail = `${health}: ${await proveHealthy(await hosts.get(app.host), health, patience)}`
    })
  }
  await session.step(`Forget the old one`, () =>
    session.changeHere(`take ${previous} out of ${estate.secretsFile}`, () =>
      changeEnvFile(estate.secretsFile, { [previous]: undefined }),
    ),
  )
}

/** The units that make the apps' containers anew, by app. */
type Units = Map<string, string | undefined>

async function findUnits(
  { hosts }: Session<Flags>,
  target: RotateTarget,
  passwords: string[],
): Promise<Units> {
  const passing = { role: target.role, passwords }
  const units: Units = new Map()
  for (const { name, app } of target.apps) {
    const envFile = await absoluteEnvFile(app, await hosts.get(app.host))
    units.set(name, await unitToRestart(hosts, name, app, envFile, passing))
  }
  return units
}

/** The present password and the next one; those of a run that was cut off when there was one. */
async function bothPasswords(
  session: Session<Flags>,
  { role, variable, previous }: RotateTarget,
): Promise<{ old: string; fresh: string }> {
  const { estate, run, flags: given } = session
  const present = await readEnvFile(estate.secretsFile)
  const { [variable]: current, [previous]: kept } = present
  if (!current) {
    throw new TaskError(
      `${variable} is not set in ${estate.secretsFile}, so nothing says what ${role} has now`,
      {
        code: exitCode.usage,
      },
    )
  }
  if (kept) {
    run.onSecret(kept)
    session.note(`a rotation of ${role} did not finish; this run finishes it with the password it had made`)
    return { old: kept, fresh: current }
  }
  const fresh = given.ask ? await askNew(session, role) : randomBytes(24).toString('base64url')
  run.onSecret(fresh)
  return { old: current, fresh }
}

async function askNew({ run }: Session<Flags>, role: string): Promise<string> {
  const typed = await run.askSecret(`new password of ${role}`)
  if (typed === undefined) {
    throw new TaskError('refused: no terminal to ask for the new password on', { code: exitCode.usage })
  }
  if (typed.length >= 16 && plainSecret.test(typed)) return typed
  throw new TaskError('a password has 16 characters or more of A-Z a-z 0-9 . _ ~ - ; nothing was changed', {
    code: exitCode.usage,
  })
}

await runIfMain(import.meta, task)
