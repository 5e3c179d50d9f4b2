import { setTimeout as pause } from 'node:timers/promises'

import type { Estate } from '../inventory/estate.ts'
import type { StoreEntry } from '../inventory/inventory.ts'
import { TaskError } from '../task/errors.ts'
import type { Session } from '../task/session.ts'
import { pullImage } from './image.ts'
import { bringKeys, keyFile } from './keys.ts'
import { type Found, lookAt } from './look.ts'
import { checkPort } from './port.ts'
import { stackOf } from './runtime.ts'
import { dataOf, keyFileOf, type Server, storeUser } from './server.ts'
import type { Stack } from './stack.ts'

/** For the container to answer. Milliseconds. */
const patience = 60_000

/** One that ends so often is not only slow. */
const mostRestarts = 3

/**
 * Has the store run on its machine.
 * @returns the estate with the store's keys; undefined in a dry run, when there is no store yet that could be asked
 * @throws TaskError that names what is in the way, before the first change
 */
export async function bringServer(
  session: Session<unknown>,
  entry: StoreEntry,
  server: Server,
): Promise<Estate | undefined> {
  const stack = stackOf(server)
  const { host, name } = server
  const found = await session.step(`Look for the store on ${host.name}`, async () => {
    const there = await lookAt(server, stack)
    if (!there.isRunning) await checkPort(server)
    return there
  })
  if (!found.hasImage) await pullImage(session, server)
  const estate = await session.step('Have the keys of the store', () => bringKeys(session, entry, found.keys))
  await session.step(
    `Have the store run on ${host.name}`,
    () => start(session, entry, server, { stack, found, estate }),
    async (_, step) => {
      await untilItAnswers(session, server, stack)
      step.detail = `${name}, on ${server.address}:${server.port}`
      const command = await stack.afterReboot()
      if (command !== undefined) {
        session.warn(`the store does not come back after a reboot; as root on ${host.name}: ${command}`)
      }
    },
  )
  return session.dryRun && !found.isRunning ? undefined : estate
}

async function start(
  session: Session<unknown>,
  entry: StoreEntry,
  server: Server,
  { stack, found, estate }: { stack: Stack; found: Found; estate: Estate | undefined },
): Promise<void> {
  const { host, directory, name } = server
  if (found.dataOwner === undefined) {
    await host.change`install -d -- ${directory} && install -d -m 0750 -o ${storeUser} -g ${storeUser} -- ${dataOf(server)}`
  } else if (found.dataOwner !== storeUser) {
    await host.change`chown ${storeUser}:${storeUser} -- ${dataOf(server)}`
  }
  const keys = estate && keyFile(estate, entry)
  const isSame =
    keys !== undefined &&
    Object.entries(found.keys).length > 0 &&
    (await host.readFile(keyFileOf(server))) === keys
  if (keys !== undefined)
    await host.write(keyFileOf(server), keys, { mode: 0o600, owner: 'root:root', secret: true })
  await host.write(stack.path, stack.text, { mode: 0o644, owner: 'root:root' })
  if (isSame && found.isCurrent) session.unchanged(host.name, host.user, `start ${name}`)
  else await stack.start()
}

/** @throws TaskError with the end of its log when it does not */
async function untilItAnswers(session: Session<unknown>, server: Server, stack: Stack): Promise<void> {
  const deadline = Date.now() + patience
  const before = await stack.restarts()
  for (;;) {
    if (await answers(server)) return
    const restarts = (await stack.restarts()) - before
    const isOver = Date.now() > deadline
    if (restarts < mostRestarts && !isOver) {
      await pause(500, undefined, { signal: session.run.signal() })
      continue
    }
    const how = isOver ? `has not answered for ${patience / 1000} s` : `has ended ${restarts} times`
    throw new TaskError(`the store on ${server.host.name} ${how}`, {
      seen: (await stack.log()).trim().split('\n').slice(-15).join('\n'),
      next: `as root on ${server.host.name}: ${server.runtime} ps --all`,
    })
  }
}

/** Asked on its machine: whether it can be reached from here is another question. */
async function answers({ host, address, port }: Server): Promise<boolean> {
  const { exitCode } = await host.read({ nothrow: true, timeout: 20_000 })`
    exec 3<> /dev/tcp/${address.replaceAll(/[[\]]/g, '')}/${port} || exit 1
    printf 'GET /health HTTP/1.0\r\nHost: store\r\n\r\n' >&3
    read -r -t 10 line <&3
    case $line in 'HTTP/1.'[01]' '[234]*) exit 0;; esac
    exit 1`
  return exitCode === 0
}
