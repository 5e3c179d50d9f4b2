import { TaskError } from '../task/errors.ts'
import type { Session } from '../task/session.ts'
import type { Server } from './server.ts'

/** For some hundred megabytes over a slow line. Milliseconds. */
const patience = 900_000

/** @throws TaskError with the runtime's words when it cannot be had */
export async function pullImage(session: Session<unknown>, server: Server): Promise<void> {
  const { host, runtime, image } = server
  await session.step(`Pull ${image} on ${host.name}`, async (step) => {
    const pull = host.change({ nothrow: true, timeout: patience })`${runtime} pull ${image}`
    await session.follow(step, pull)
    const { exitCode, stderr } = await pull
    if (exitCode === 0) return
    throw new TaskError(`${host.name} cannot have the image ${image}`, {
      seen: stderr.trim().split('\n').slice(-5).join('\n'),
      next: `where it can be pulled: ${runtime} save -o rustfs.tar ${image}; then on ${host.name}: ${runtime} load -i rustfs.tar. Or take "server" out of backup.store, and name the endpoint of any S3 store`,
    })
  })
}
