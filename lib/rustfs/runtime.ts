import { compose } from './compose.ts'
import { podmanUnit } from './podman.ts'
import type { Server } from './server.ts'
import type { Stack } from './stack.ts'

export function stackOf(server: Server): Stack {
  return server.runtime === 'podman' ? podmanUnit(server) : compose(server)
}
