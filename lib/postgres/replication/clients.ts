import { proveHealthy } from '../../app/health.ts'
import { unitOf } from '../../app/renewal.ts'
import { restartApp } from '../../app/restart.ts'
import {
  forgetRestart,
  needsRestart,
  readServerUrls,
  type ServerUrls,
  stillWrong,
  writeServerUrls,
} from '../../app/server-urls.ts'
import type { NamedServer } from '../../app/urls.ts'
import { errorBehind, HostError } from '../../host/errors.ts'
import type { NamedApp } from '../../inventory/estate.ts'
import { poolerReach } from '../../pgbouncer/poolers.ts'
import { type SwitchingPooler, switchingPooler } from '../../pgbouncer/switching.ts'
import { TaskError } from '../../task/errors.ts'
import { exitCode } from '../../task/exit-code.ts'
import { explain } from '../../task/explain.ts'
import type { Session } from '../../task/session.ts'
import type { Reaching } from '../cluster.ts'
import { endpointsOf } from '../migrate/route.ts'
import type { ClusterTarget } from './cluster-target.ts'

/** How long an app may take to be well again. Milliseconds. */
const healthPatience = 30_000

/** Who connects to a cluster, and goes to a new primary only when told. */
export interface Clients {
  /** undefined: there is none, or it is not ours to point. */
  pooler: SwitchingPooler | undefined
  apps: NamedApp[]
  /** Names of apps that must be well in the end. */
  well: Set<string>
  /** What does not follow, as the operator was told. */
  stragglers: string[]
}

/** @returns why a machine cannot be worked on; undefined when it can */
async function silence({ hosts }: Reaching, name: string, as?: string): Promise<TaskError | undefined> {
  try {
    const login = await hosts.get(name)
    await (as === undefined ? login : login.as(as)).verify()
    return undefined
  } catch (error) {
    const why = await explain(error)
    if (why instanceof TaskError && why.code !== exitCode.cancelled) return why
    throw error
  }
}

/**
 * Looks for pooler and apps before anything is changed. When all is well, a pooler that does not answer is a
 * reason to leave it so: its clients would find nobody. Once nobody takes writes, it is none.
 *
 * @throws TaskError when all is well and the pooler's machine does not answer
 */
export async function lookAtClients(
  session: Session<unknown>,
  { name, cluster }: ClusterTarget,
  state: 'all is well' | 'cut off' | 'primary gone',
): Promise<Clients> {
  const clients: Clients = {
    pooler: undefined,
    apps: [],
    well: new Set(),
    stragglers: [],
  }
  const apps = session.estate.appsOf(name)
  const poolers = poolerReach(session.estate, name).flat()
  const machines = [...new Set([...poolers, ...apps.map(({ app }) => app)].map(({ host }) => host))]
  const silent = new Map(
    await Promise.all(machines.map(async (host) => [host, await silence(session, host)] as const)),
  )
  for (const { host } of poolers) {
    const why = silent.get(host)
    if (why && state === 'all is well') {
      throw new TaskError(
        `the pooler's machine must answer, or its clients find no primary: ${why.message}`,
        {
          code: exitCode.unreachable,
          next: why.next ?? `bring ${host} back, then again; nothing was changed`,
        },
      )
    }
    const command = session.command('pg-pooler', ['--cluster', name])
    const work = async (): Promise<void> => {
      if (why) throw why
      clients.pooler = await switchingPooler(session, name)
    }
    if (state === 'all is well') await work()
    else await attempt(session, clients, `the pooler of ${name}`, command, work)
  }
  for (const one of apps) {
    const { app } = one
    const why = silent.get(app.host)
    if (why) {
      straggles(
        session,
        clients,
        `app ${one.name} on ${app.host}`,
        why,
        'when it is back, see where its URLs lead, or run this again',
      )
      continue
    }
    clients.apps.push(one)
    if (app.health === undefined) continue
    if (state === 'primary gone' || (await isWell(session, app.host, app.health))) clients.well.add(one.name)
  }
  if (cluster.pooler === undefined) {
    for (const one of clients.apps.filter(({ app }) => !app.envFile)) {
      session.warn(`app ${one.name} has no envFile in the inventory: see to where its URLs lead yourself`)
    }
  }
  return clients
}

async function isWell({ hosts }: Reaching, host: string, url: string): Promise<boolean> {
  try {
    await proveHealthy(await hosts.get(host), url, 0)
    return true
  } catch (error) {
    if (error instanceof TaskError || errorBehind(error, HostError)) return false
    throw error
  }
}

/** Which apps will be changed, for the operator; nothing is changed. */
export async function describeMoves(
  session: Session<unknown>,
  target: ClusterTarget,
  { apps }: Clients,
  primary: string,
): Promise<string[]> {
  const lines = apps.map(async ({ name, app }) => {
    const urls = await urlsOf(session, target, { name, app }, primary)
    if (!urls || urls.wrong.length === 0) return []
    const then = needsRestart(urls) ? 'it is restarted' : 'it is not restarted'
    return [
      `app ${name}: ${describe(urls.wrong)} in ${urls.path} on ${app.host} will name ${primary}; ${then}`,
    ]
  })
  return (await Promise.all(lines)).flat()
}

/**
 * Points the pooler to the new primary, and the URLs of apps that name another machine of the cluster; restarts
 * apps that run by such a URL, and waits until they are well. Each does not follow for itself: one that cannot
 * be told holds up nobody. Running it again changes nothing.
 */
export async function letClientsFollow(
  session: Session<unknown>,
  target: ClusterTarget,
  clients: Clients,
  primary: string,
): Promise<void> {
  const { pooler } = clients
  if (pooler) {
    const command = session.command('pg-pooler', ['--cluster', target.name])
    await attempt(session, clients, pooler.name, command, () =>
      session.step(`Let ${pooler.name} lead to ${primary}`, () => pooler.settle(primary)),
    )
  }
  for (const one of clients.apps) {
    const { name, app } = one
    await attempt(session, clients, `app ${name} on ${app.host}`, 'run this again', async () => {
      const urls = await urlsOf(session, target, one, primary)
      if (!urls) return
      if (urls.reading.length > 0) {
        session.note(
          `left alone: ${describe(urls.reading)} in ${urls.path} on ${app.host}, a standby that can be read from`,
        )
      }
      if (urls.wrong.length === 0 && !urls.restartDue) return
      await session.step(`Let ${name} on ${app.host} use ${primary}`, async (step) => {
        step.detail = await moveApp(session, one, urls, primary)
        if (needsRestart(urls) && app.health !== undefined) clients.well.add(name)
      })
    })
  }
  for (const { name, app } of clients.apps) {
    const { health } = app
    if (health === undefined || !clients.well.has(name)) continue
    await attempt(session, clients, `app ${name} on ${app.host}`, `look into its log`, () =>
      session.prove(`Wait until ${name} is well`, async (step) => {
        step.detail = `${health}: ${await proveHealthy(await session.hosts.get(app.host), health, healthPatience)}`
      }),
    )
  }
}

async function moveApp(
  session: Session<unknown>,
  { name, app }: NamedApp,
  urls: ServerUrls,
  primary: string,
): Promise<string> {
  const { estate, hosts } = session
  await writeServerUrls(urls, estate.addressBetween(app.host, primary))
  const what = urls.wrong.length > 0 ? describe(urls.wrong) : 'its file was changed before'
  if (!needsRestart(urls)) return `${what}; not restarted, for only its commands use it`
  if (await restartApp(app, await hosts.get(app.host), await unitOf(hosts, app))) {
    const still = session.dryRun ? [] : await stillWrong(hosts, app, urls)
    if (still.length > 0) {
      throw new TaskError(
        `its container was made with ${describe(still)}, which a restart keeps: make it anew, with its envFile`,
      )
    }
    await forgetRestart(urls)
    return `${what}; restarted`
  }
  await forgetRestart(urls)
  session.warn(`restart ${name} on ${app.host} yourself: the inventory does not say how it runs`)
  return `${what}; its restart is left to you`
}

/** At the end of a run that promised more. @throws TaskError when anybody does not follow */
export function insistOnAll({ stragglers }: Clients, primary: string): void {
  if (stragglers.length === 0) return
  throw new TaskError([`${primary} is the primary, and not all follow:`, ...stragglers].join('\n- '))
}

async function urlsOf(
  session: Session<unknown>,
  { name: cluster }: ClusterTarget,
  { name, app }: NamedApp,
  primary: string,
): Promise<ServerUrls | undefined> {
  const endpoints = endpointsOf(session.estate, { cluster, app: { name, entry: app } })
  const leadsTo = ({ host, port }: NamedServer): string[] =>
    endpoints.flatMap((one) => (one.host.toLowerCase() === host && one.port === port ? [one.server] : []))
  return readServerUrls(session.hosts, app, (server) => {
    const found = leadsTo(server)
    return found.length > 0 && !found.includes(primary)
  })
}

function describe(servers: ServerUrls['wrong']): string {
  return servers.map(({ variable, host, port }) => `${variable} (${host}:${port})`).join(', ')
}

async function attempt(
  session: Session<unknown>,
  clients: Clients,
  who: string,
  next: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    const why = await explain(error)
    if (!(why instanceof TaskError) || why.code === exitCode.cancelled) throw error
    straggles(session, clients, who, why, next)
  }
}

function straggles(
  session: Session<unknown>,
  clients: Clients,
  who: string,
  why: TaskError,
  next: string,
): void {
  const seen = why.seen === undefined ? '' : ` (${why.seen})`
  const text = `${who} does not follow: ${why.message}${seen}; ${next}`
  clients.stragglers.push(text)
  session.warn(text)
}
