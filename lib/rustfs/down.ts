import { assertProof, type Proof } from '../task/confirm.ts'
import { TaskError } from '../task/errors.ts'
import type { Session } from '../task/session.ts'
import { lookAt } from './look.ts'
import { stackOf } from './runtime.ts'
import { dataOf, type Server, storeUser } from './server.ts'

/** Takes the container away, and what starts it. Its data stays. */
export async function removeServer(session: Session<unknown>, server: Server): Promise<void> {
  const stack = stackOf(server)
  const { host, name } = server
  await session.step(
    `Take the store on ${host.name} away; its data stays`,
    async () => {
      const { files, hasContainer } = await lookAt(server, stack)
      if (files.length === 0 && !hasContainer) {
        session.unchanged(host.name, host.user, `remove ${name}`)
        return
      }
      if (files.includes(stack.path)) await stack.stop()
      else if (hasContainer) await host.change`${server.runtime} rm --force ${name}`
      if (files.length > 0) await host.change`rm -f -- ${files}`
      if (server.runtime === 'podman') await host.change`systemctl daemon-reload`
    },
    async () => {
      const { files, hasContainer } = await lookAt(server, stack)
      if (files.length > 0 || hasContainer) throw new TaskError(`${name} is still on ${host.name}`)
    },
  )
}

/** Deletes what the store held, of which nothing starts any more. */
export async function destroyData(session: Session<unknown>, server: Server, proof: Proof): Promise<void> {
  assertProof(proof, server.estate)
  const { host, directory } = server
  const data = dataOf(server)
  await session.step(
    `Delete ${data} on ${host.name}`,
    async () => {
      const { dataOwner } = await lookAt(server, stackOf(server))
      if (dataOwner !== undefined && dataOwner !== storeUser)
        throw new TaskError(`${data} is not of the store's user`)
      if (dataOwner === undefined) session.unchanged(host.name, host.user, `delete ${data}`)
      else
        await host.change`rm -rf --one-file-system -- ${data} && rmdir --ignore-fail-on-non-empty -- ${directory}`
    },
    async () => {
      const { stdout } = await host.read`if [ -e ${data} ]; then echo there; fi`
      if (stdout !== '') throw new TaskError(`${data} is still on ${host.name}`)
    },
  )
}
