import { parse } from 'dotenv'
import * as z from 'zod'

import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'
import { isOurs } from './mark.ts'
import { dataOf, keyFileOf, type Server, storeUser } from './server.ts'
import type { Stack } from './stack.ts'

/** What there is of a store on its machine. */
export interface Found {
  /** The container runs, made of the file that it should be made of. */
  isCurrent: boolean
  hasContainer: boolean
  isRunning: boolean
  hasImage: boolean
  /** Who has the data folder; undefined: there is none. */
  dataOwner: number | undefined
  /** By the names of the container's variables; empty when there is no key file. */
  keys: Record<string, string>
  /** Files of ours that are there. */
  files: string[]
}

const Inspected = z.array(
  z.object({
    State: z.object({ Running: z.boolean() }),
    Config: z.object({
      Env: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    }),
  }),
)

/** @throws TaskError for what is of somebody else, or was changed by hand */
export async function lookAt(server: Server, stack: Stack): Promise<Found> {
  const { host, runtime, name, image } = server
  const [inspected, imageThere, data] = [
    await host.read({ nothrow: true })`${runtime} inspect --type container ${name}`,
    await host.read({ nothrow: true })`${runtime} image inspect ${image} > /dev/null`,
    await host.read({
      nothrow: true,
    })`if [ -e ${dataOf(server)} ]; then stat -Lc %u -- ${dataOf(server)}; ls -A -- ${dataOf(server)} | head -n 1; fi`,
  ]
  if (inspected.exitCode === 127) {
    throw new TaskError(`there is no ${runtime} on ${host.name}`, {
      code: exitCode.usage,
      next: 'install it there, or correct backup.store.server.runtime in the inventory',
    })
  }
  const said = inspected.stderr.trim()
  if (inspected.exitCode !== 0 && !/no such (container|object)/i.test(said)) {
    throw new TaskError(`${runtime} on ${host.name} does not answer: ${said}`, {
      next: runtime === 'docker' ? `as root on ${host.name}: systemctl enable --now docker` : undefined,
    })
  }
  if (runtime === 'docker') {
    const plugin = await host.read({ nothrow: true })`docker compose version`
    if (plugin.exitCode !== 0) {
      throw new TaskError(`there is no docker compose on ${host.name}`, {
        code: exitCode.usage,
        next: `install its plugin there, or take podman: backup.store.server.runtime in the inventory`,
      })
    }
  }
  const [container] = inspected.exitCode === 0 ? Inspected.parse(JSON.parse(inspected.stdout)) : []
  const labels = container?.Config.Labels ?? {}
  if (container && labels['hausmeister.estate'] !== server.estate) {
    throw new TaskError(
      `the container ${name} on ${host.name} is not of hausmeister for ${server.estate}: it is left alone`,
      { next: `if it may go: as root on ${host.name}: ${runtime} rm --force ${name}` },
    )
  }
  const files = await filesOf(server, stack)
  const [owner, first = ''] = data.stdout.trim().split('\n')
  if (owner && first !== '' && Number(owner) !== storeUser) {
    throw new TaskError(`${dataOf(server)} on ${host.name} has ${first}, and is not of the store's user`, {
      next: `if it is the store's data: as root on ${host.name}: chown -R ${storeUser}:${storeUser} ${dataOf(server)}`,
    })
  }
  const keys = parse(files.get(keyFileOf(server)) ?? '')
  const has = new Set(container?.Config.Env)
  const isRunning = container?.State.Running === true
  return {
    isCurrent:
      isRunning &&
      labels['hausmeister.stack'] === stack.print &&
      Object.entries(keys).every(([key, value]) => has.has(`${key}=${value}`)),
    isRunning,
    hasContainer: container !== undefined,
    hasImage: imageThere.exitCode === 0,
    dataOwner: owner ? Number(owner) : undefined,
    keys,
    files: [...files.keys()],
  }
}

/** Texts by path. */
async function filesOf(server: Server, stack: Stack): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const path of [stack.path, keyFileOf(server)]) {
    const text = await server.host.readFile(path)
    if (text === undefined) continue
    if (!isOurs(text)) {
      throw new TaskError(
        `${path} on ${server.host.name} was changed by hand, or is not of hausmeister: it is left alone`,
        { next: `if hausmeister may write it: as root on ${server.host.name}: mv ${path} ${path}.old` },
      )
    }
    found.set(path, text)
  }
  return found
}
