import * as z from 'zod'

import type { Run } from '../../host/events.ts'
import { TaskError } from '../../task/errors.ts'
import {
  confText,
  type Current,
  differing,
  type ForeignLine,
  readCurrent,
  readFileSettings,
  roundedMemory,
  type Setting,
  sortSettings,
  wantedSettings,
} from '../conf.ts'
import {
  bringUp,
  type ConfFile,
  confError,
  type Instance,
  instanceOf,
  readConfFile,
  reload,
  restart,
} from '../instance.ts'
import { sql } from '../sql.ts'

/** What is to be written, found out before anything is. */
export interface SettingsPlan {
  file: string
  before: string | undefined
  text: string
  /** Nothing is to be done: it has been read, and is in force. */
  isSo: boolean
  /** On which it is to listen. */
  port: number
  settings: Setting[]
  /** For the operator: settings that lines by hand have. */
  kept: string[]
  /** Names of those that take a restart. */
  restart: string[]
}

export function confFile({ cluster }: Instance): string {
  return `${cluster.folder}/conf.d/hausmeister.conf`
}

/** For a server that was never started: pg_createcluster has written its port, and nobody anything else. */
export async function writeFirstSettings(
  instance: Instance,
  port: number,
  memory: number,
  primary?: Current[],
): Promise<void> {
  const rounded = roundedMemory(memory)
  const { folder } = instance.cluster
  const made = {
    name: 'port',
    value: String(instance.cluster.port),
    file: `${folder}/postgresql.conf`,
    line: 0,
  }
  const { write, left } = sortSettings(wantedSettings(port, rounded, primary), [made], confFile(instance))
  await instance.host.write(confFile(instance), confText(write, left, rounded))
}

/** The settings of a running server: ours on disk, all lines on disk, and what is in force. */
export interface SettingsFacts {
  file: ConfFile
  lines: ForeignLine[]
  current: Current[]
}

export async function lookAtSettings(instance: Instance): Promise<SettingsFacts> {
  const [file, lines, current] = await Promise.all([
    readConfFile(instance, confFile(instance)),
    readFileSettings(instance.server),
    readCurrent(instance.server),
  ])
  return { file, lines, current }
}

/** @throws TaskError for a line by hand against what is needed */
export function planSettings(
  instance: Instance,
  { file: { text: before, stale }, lines, current }: SettingsFacts,
  port: number,
  memory: number,
  primary?: Current[],
): SettingsPlan {
  const rounded = roundedMemory(memory)
  const file = confFile(instance)
  const { write, left, against } = sortSettings(wantedSettings(port, rounded, primary), lines, file)
  if (against.length > 0) {
    const told = against.map((one) => `${one.name} = '${one.value}' in ${one.file} line ${one.line}`)
    throw new TaskError(`a line by hand on ${instance.name} is against what is needed: ${told.join('; ')}`, {
      next: against.some((one) => one.file.endsWith('postgresql.auto.conf'))
        ? `take it back with ALTER SYSTEM RESET ${against[0]?.name}`
        : 'take that line out',
    })
  }
  const text = confText(write, left, rounded)
  const { reload: some, restart: others } = differing(write, current)
  return {
    file,
    before,
    text,
    isSo: before === text && !stale && some.length === 0 && others.length === 0,
    port,
    settings: write,
    kept: left
      .filter((one) => one.file !== `${instance.cluster.folder}/postgresql.conf` || one.name !== 'port')
      .map((one) => `${one.name} = ${one.value} (${one.file} line ${one.line})`),
    restart: others.map(({ name }) => name),
  }
}

/** How many clients a restart would throw out. */
export async function countClients({ server }: Instance): Promise<number> {
  const [row] = await server.select(
    z.object({ count: z.number() }),
    sql`select count(*)::int as count from pg_stat_activity
      where backend_type = 'client backend' and application_name is distinct from 'hausmeister'`,
  )
  return row?.count ?? 0
}

/** Brings the file, and then the server, to the settings. What goes wrong leaves the old file and the server running. */
export async function applySettings(instance: Instance, plan: SettingsPlan, run: Run): Promise<void> {
  const { host, name, cluster } = instance
  const after = instanceOf(host, { ...cluster, port: plan.port })
  const { before } = plan
  if (plan.isSo) {
    run.onChange({ state: 'unchanged', host: name, user: 'root', command: `write ${plan.file}` })
    return
  }
  await host.write(plan.file, plan.text)
  if (run.dryRun) {
    if (plan.restart.length > 0) await restart(after, run)
    else await reload(instance, run)
    return
  }
  const putBack = async (): Promise<void> => {
    if (before === undefined) await host.change`rm -- ${plan.file}`
    else await host.write(plan.file, before)
  }
  const wrong = await confError(instance)
  if (wrong !== undefined) {
    await putBack()
    throw new TaskError(
      `PostgreSQL ${cluster.version} on ${name} does not take our settings: ${wrong}; the old ones are back`,
    )
  }
  if (plan.restart.length === 0) {
    await reload(instance, run)
    return
  }
  try {
    await bringUp(after, () => restart(after, run))
  } catch (error) {
    await putBack()
    await bringUp(instance, () => restart(instance, run))
    const seen = error instanceof TaskError ? error.seen : undefined
    throw new TaskError(
      `PostgreSQL on ${name} did not come up with ${plan.restart.join(', ')} as in ${plan.file}; the old settings are back, and it is running`,
      {
        seen,
        next: `what they were: ${plan.settings.map((one) => `${one.name}=${one.value}`).join(' ')}`,
        cause: error,
      },
    )
  }
}

/**
 * A plan that found nothing to do has seen it already.
 * @throws TaskError that names what the server does not run with
 */
export async function proveSettings(
  instance: Instance,
  { settings, file, isSo }: SettingsPlan,
): Promise<void> {
  if (isSo) return
  const { reload: some, restart: others } = differing(settings, await readCurrent(instance.server))
  const missing = [...some, ...others].map(({ name }) => name)
  if (missing.length > 0) {
    throw new TaskError(`${instance.name} does not run with ${missing.join(', ')} as ${file} has it`, {
      next: `to see who sets it: SELECT name, setting, sourcefile, sourceline FROM pg_settings WHERE name IN (${missing.map((name) => `'${name}'`).join(', ')})`,
    })
  }
}
