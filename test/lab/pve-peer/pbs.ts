import type { ServerResponse } from 'node:http'

import { type Dialect, Refusal } from './serve.ts'
import { privilegesOn, type World } from './world.ts'

/** The backup server's side of the world. Its errors are plain text. */
export function pbsDialect(world: World): Dialect {
  const onDatastore = (store: string | undefined): void => {
    if (store !== world.datastore) throw new Refusal(400, `no such datastore '${store}'`)
    if (world.datastoreError !== undefined) throw new Refusal(400, world.datastoreError)
  }
  return {
    header: /^PBSAPIToken[= ]([^:]+):(.+)$/,
    tokens: () => world.pbsTokens,
    isOffline: () => false,
    ahead: () => world.pbsAhead,
    refuse,
    routes: [
      {
        method: 'GET',
        path: '/access/permissions',
        optional: { path: 'string', 'auth-id': 'string' },
        answer: ({ path = '/' }, { token }) => {
          const held = Object.entries(privilegesOn(token, path)).map(([name, below]) => [name, below === 1])
          // Paths without any privilege are left out.
          return held.length === 0 ? {} : { [path]: Object.fromEntries(held) }
        },
      },
      {
        method: 'GET',
        path: '/admin/datastore/{store}/status',
        optional: { verbose: 'boolean' },
        check: ({ store }) => [[`/datastore/${store}`, 'Datastore.Audit']],
        answer: ({ store }) => {
          onDatastore(store)
          return { ...world.room, 'backend-type': 'filesystem' }
        },
      },
      {
        method: 'GET',
        path: '/admin/datastore/{store}/snapshots',
        optional: { ns: 'string', 'backup-type': ['vm', 'ct', 'host'], 'backup-id': 'string' },
        check: ({ store, ns }) => [[`/datastore/${store}${ns ? `/${ns}` : ''}`, 'Datastore.Audit']],
        answer: ({ store, ns = '' }) => {
          onDatastore(store)
          const snapshots = world.snapshots[ns]
          if (!snapshots) throw new Refusal(400, `namespace '${ns}' not found`)
          return snapshots.map(({ type, id, time, size, state }) => ({
            'backup-type': type,
            'backup-id': id,
            'backup-time': time,
            owner: 'hausmeister@pbs!pve',
            protected: false,
            files: [{ filename: 'index.json.blob' }],
            ...(size === undefined ? {} : { size }),
            ...(state === undefined
              ? {}
              : { verification: { state, upid: 'UPID:pbs:0:0:0:0:verify:store:root@pam:' } }),
          }))
        },
      },
    ],
  }
}

function refuse(response: ServerResponse, { status, message }: Refusal): void {
  const words: Record<number, string> = { 401: 'authentication failed', 403: 'permission check failed' }
  response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8' })
  response.end(words[status] ?? message)
}
