import { describe, expect, test } from 'vitest'
import type * as z from 'zod'

import { TaskError } from '../../../lib/task/errors.ts'
import { explain } from '../../../lib/task/explain.ts'
import type { Task } from '../../../lib/task/task.ts'
import { task as backUp } from '../../../tasks/backup-now.ts'
import { task as restore } from '../../../tasks/backup-restore.ts'
import { task as verify } from '../../../tasks/backup-verify.ts'
import { task as access } from '../../../tasks/pg-access.ts'
import { task as drift } from '../../../tasks/pg-drift.ts'
import { task as migrate } from '../../../tasks/pg-migrate.ts'
import { task as pooler } from '../../../tasks/pg-pooler.ts'
import { task as promote } from '../../../tasks/pg-promote.ts'
import { task as replica } from '../../../tasks/pg-replica.ts'
import { task as reset } from '../../../tasks/pg-reset.ts'
import { task as rotate } from '../../../tasks/pg-rotate.ts'
import { task as seed } from '../../../tasks/pg-seed.ts'
import { task as setup } from '../../../tasks/pg-setup.ts'
import { task as shell } from '../../../tasks/pg-shell.ts'
import { task as status } from '../../../tasks/pg-status.ts'
import { task as switchover } from '../../../tasks/pg-switchover.ts'
import { estateOf } from '../doubles.ts'

const content = {
  databases: { shop: { owner: 'shop_app', shadow: 'shop_shadow', environment: 'development' } },
  roles: { shop_app: { password: 'env:SHOP_PASSWORD' }, standby: { password: 'env:STANDBY_PASSWORD' } },
}

const pooled = { pooler: { runtime: 'systemd', host: 'server' } }

/** One estate for each kind, with a cluster `main` of that kind and an app on it. */
const kinds = {
  machines: { hosts: ['pg-1', 'pg-2'], replication: 'standby', ...content, ...pooled },
  container: { container: { runtime: 'podman', host: 'server', name: 'postgres' }, ...content },
  managed: { url: 'env:URL', via: 'server', ...content, ...pooled },
}
type Kind = keyof typeof kinds

function at(octet: number) {
  return { addresses: { lan: `192.0.2.${octet}` } }
}

function estate(kind: Kind) {
  return estateOf(
    {
      networks: { lan: { cidr: '192.0.2.0/24' } },
      hosts: { 'pg-1': at(1), 'pg-2': at(2), server: at(3) },
      postgres: { main: kinds[kind] },
      backup: {
        store: {
          endpoint: 'http://192.0.2.9:9000',
          bucket: 'backups',
          accessKey: 'env:ACCESS',
          secretKey: 'env:SECRET',
        },
        recipients: ['age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq'],
        identity: 'env:IDENTITY',
      },
      apps: {
        shop: {
          environment: 'development',
          host: 'server',
          runtime: 'podman',
          container: 'shop',
          database: { cluster: 'main', name: 'shop' },
          migrate: 'migrate',
          seed: 'seed',
          migrations: 'migrations',
          envFile: '/srv/shop/.env',
        },
      },
    },
    { URL: 'postgresql://admin@db.example:5432/postgres' },
  )
}

interface Preflighted {
  /** What is said before any machine is asked; undefined: nothing speaks against it. */
  refusal: string | undefined
  /** Machines, each with its user. */
  reach: string[]
}

async function look<S extends z.ZodObject>(
  task: Task<S>,
  kind: Kind,
  flags: z.input<S>,
): Promise<Preflighted> {
  try {
    const found = task.preflight({ estate: await estate(kind), flags: task.flags.parse(flags) })
    const reach = found.reach.flat().map(({ host, as }) => (as === undefined ? host : `${as}@${host}`))
    return { refusal: found.problems.join('; ') || undefined, reach: [...new Set(reach)].toSorted() }
  } catch (error) {
    const why = await explain(error)
    if (!(why instanceof TaskError)) throw error
    return { refusal: why.message, reach: [] }
  }
}

const database = { database: 'shop' }
const cluster = { cluster: 'main' }

describe.each([
  ['pg-status', (kind: Kind) => look(status, kind, cluster)],
  ['pg-reset', (kind: Kind) => look(reset, kind, database)],
  ['pg-migrate', (kind: Kind) => look(migrate, kind, database)],
  ['pg-seed', (kind: Kind) => look(seed, kind, database)],
  ['pg-drift', (kind: Kind) => look(drift, kind, database)],
  ['pg-shell', (kind: Kind) => look(shell, kind, database)],
  ['pg-rotate', (kind: Kind) => look(rotate, kind, { ...cluster, role: 'shop_app' })],
  ['backup-now', (kind: Kind) => look(backUp, kind, {})],
  ['backup-verify', (kind: Kind) => look(verify, kind, {})],
  ['backup-restore', (kind: Kind) => look(restore, kind, database)],
])('%s', (_, ask) => {
  test.each<Kind>(['machines', 'container', 'managed'])('of %s: nothing speaks against it', async (kind) => {
    const { refusal, reach } = await ask(kind)
    expect(refusal).toBeUndefined()
    // A machine that the kind does not have is not asked.
    const others = kind === 'machines' ? [] : reach.filter((one) => one.includes('pg-'))
    expect(others).toEqual([])
  })
})

const installs = {
  container:
    'runs in a container: its image installs it, and the networks of the container say who may connect to it',
  managed: 'is a managed server: its provider installs it and says who may connect to it',
}
const standbys = {
  container: 'runs in a container: it is one server, and standbys are for clusters of machines',
  managed: 'is a managed server: who runs it sees to its standbys',
}

describe.each([
  ['pg-setup', (kind: Kind) => look(setup, kind, cluster), installs],
  ['pg-access', (kind: Kind) => look(access, kind, cluster), installs],
  ['pg-replica', (kind: Kind) => look(replica, kind, cluster), standbys],
  ['pg-switchover', (kind: Kind) => look(switchover, kind, cluster), standbys],
  ['pg-promote', (kind: Kind) => look(promote, kind, { ...cluster, to: 'pg-2' }), standbys],
])('%s', (_, ask, refusals) => {
  test('of machines: nothing speaks against it', async () => {
    expect((await ask('machines')).refusal).toBeUndefined()
  })

  test.each(['container', 'managed'] as const)('of %s: says why not, in one line', async (kind) => {
    expect(await ask(kind)).toEqual({ refusal: `main ${refusals[kind]}`, reach: [] })
  })
})

describe('pg-pooler', () => {
  test.each<Kind>(['machines', 'managed'])('of %s: nothing speaks against it', async (kind) => {
    expect((await look(pooler, kind, cluster)).refusal).toBeUndefined()
  })

  test('of a container: says why not, in one line', async () => {
    expect((await look(pooler, 'container', cluster)).refusal).toBe(
      'main runs in a container: its apps find it by its name in their own network, where no pooler is',
    )
  })
})
