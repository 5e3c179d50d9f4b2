import { Host } from '../../../lib/host/host.ts'
import { Access } from '../../../lib/host/host.ts'
import type { Server } from '../../../lib/rustfs/server.ts'
import { RecordedRun, type Script, ScriptedMachine } from '../doubles.ts'

/** A store on a machine that does what a test says. */
export function storeOn(script: Script, fields: Partial<Server> = {}): { server: Server; run: RecordedRun } {
  const run = new RecordedRun()
  const access = new Access(new ScriptedMachine('keep', script), async () => undefined)
  const server: Server = {
    name: 'hausmeister-test-store',
    estate: 'test',
    host: new Host(access, run, 'root'),
    runtime: 'podman',
    image: 'rustfs:1.0',
    directory: '/srv/store',
    address: '192.0.2.9',
    port: 9000,
    ...fields,
  }
  return { server, run }
}
