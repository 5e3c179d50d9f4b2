import { InventoryError, type Problem } from '../../../lib/inventory/errors.ts'
import { parseInventory } from '../../../lib/inventory/parse.ts'

/** An inventory that uses every kind of field; tests change one thing in it. */
export function sample() {
  return {
    estate: 'sample',
    networks: {
      internal: { cidr: '10.0.0.0/24' },
      lan: { cidr: '192.0.2.0/24' },
      six: { cidr: '2001:db8::/64' },
    },
    hosts: {
      pve: { addresses: { internal: '10.0.0.1', lan: '192.0.2.1' }, ssh: { user: 'root' }, proxmox: true },
      db: {
        addresses: { lan: '192.0.2.2', internal: '10.0.0.2' },
        guestOf: 'pve',
        vmid: 101,
        ssh: {
          network: 'lan',
          user: 'ops',
          port: 2222,
          key: '~/.ssh/id',
          passphrase: 'env:KEY',
          jump: 'pve',
          sudoPassword: 'env:SUDO',
        },
      },
      web: { addresses: { internal: '10.0.0.3', six: '2001:db8::3' }, guestOf: 'pve', vmid: 102 },
      alone: { addresses: { six: '2001:db8::4' } },
      unaddressed: {},
      keep: { addresses: { lan: '192.0.2.9' } },
      desk: { local: true },
    },
    postgres: {
      main: {
        version: 17,
        hosts: ['db'],
        replication: 'shop_app',
        databases: {
          shop: { owner: 'shop_app', shadow: 'shop_shadow', environment: 'development' },
          both: { owner: 'shop_app', environment: 'test' },
        },
        roles: { shop_app: { password: 'env:SHOP_PASSWORD' } },
        access: [
          { role: 'shop_app', database: 'shop', from: 'lan' },
          { role: 'shop_app', database: 'all', from: 'web' },
          { role: 'shop_app', database: 'shop_shadow', from: '198.51.100.0/24' },
        ],
      },
      managed: {
        url: 'env:MANAGED_URL',
        via: 'web',
        databases: { both: { owner: 'other', environment: 'production' } },
        roles: { other: {} },
      },
      boxed: {
        container: { runtime: 'podman', host: 'web', name: 'boxed-postgres' },
        databases: { box: { owner: 'box', environment: 'test' } },
        roles: { box: {} },
      },
    },
    mongo: {
      rs0: {
        hosts: ['db', 'web'],
        port: 27018,
        replicaSet: 'rs0',
        login: { user: 'ops', password: 'env:MONGO_PASSWORD', database: 'admin' },
        tls: { ca: '/etc/ssl/mongo.pem' },
        databases: { cart: { environment: 'production' } },
      },
    },
    backup: {
      store: {
        endpoint: 'http://192.0.2.9:9000',
        region: 'eu-1',
        bucket: 'sample-backups',
        accessKey: 'env:STORE_KEY',
        secretKey: 'env:STORE_SECRET',
        versioning: true,
        server: { host: 'keep', runtime: 'podman', directory: '/srv/store', image: 'rustfs:1.0' },
      },
      recipients: ['age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq'],
      identity: 'env:IDENTITY',
      databases: ['shop', 'managed/both', 'cart'],
      folders: [{ host: 'web', path: '/srv/uploads', environment: 'test', scratch: '/srv/scratch' }],
      source: 'standby',
      scratch: 'main',
      checks: { shop: ['select count(*) > 0 from orders'] },
      keep: { daily: 7, weekly: 4, monthly: 3, minimum: 3 },
      schedule: {
        host: 'web',
        directory: '/opt/hausmeister',
        user: 'backup',
        backup: '02:30',
        verify: 'Sun 04:00',
        prune: '05:30',
      },
    },
    proxmox: {
      home: {
        nodes: {
          pve: {
            url: 'https://192.0.2.1:8006',
            fingerprint: Array.from({ length: 32 }, () => '0A').join(':'),
          },
        },
        token: 'env:PVE_TOKEN',
        via: 'db',
        backup: {
          url: 'https://192.0.2.20:8007',
          fingerprint: Array.from({ length: 32 }, () => 'b1').join(':'),
          token: 'env:PBS_TOKEN',
          via: 'web',
          datastore: 'tank',
          namespace: 'site/home',
          staleAfterHours: 26,
          unverifiedAfterDays: 8,
          exempt: ['pbs'],
        },
      },
    },
    apps: {
      shop: {
        environment: 'development',
        host: 'web',
        runtime: 'compose',
        directory: '/srv/shop',
        service: 'app',
        database: { cluster: 'main', name: 'shop' },
        migrate: 'npx prisma migrate deploy',
        health: 'http://10.0.0.3:3000/health',
      },
      worker: {
        environment: 'development',
        host: 'web',
        runtime: 'podman',
        container: 'worker',
        database: { cluster: 'main', name: 'shop' },
      },
      site: {
        environment: 'staging',
        host: 'alone',
        runtime: 'pm2',
        directory: '/srv/site',
        process: 'site',
      },
      script: { environment: 'test', host: 'desk', runtime: 'command', directory: '~/script' },
    },
  }
}

/** The sample with the value at `path` replaced; `undefined` removes the member. */
export function changed(path: string, value: unknown): unknown {
  const steps = path.split('/')
  const last = steps.pop() ?? ''
  const root: unknown = JSON.parse(JSON.stringify(sample()))
  let holder: unknown = root
  for (const step of steps) holder = isObject(holder) ? holder[step] : undefined
  if (!isObject(holder)) throw new Error(`the sample has nothing at ${steps.join('/')}`)
  if (value === undefined) delete holder[last]
  else holder[last] = value
  return root
}

export async function problemsOf(raw: unknown): Promise<Problem[]> {
  const text = typeof raw === 'string' ? raw : JSON.stringify(raw, undefined, 2)
  const error: unknown = await parseInventory(text, 'inventory.json').then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error === undefined) return []
  if (error instanceof InventoryError) return error.problems
  throw error
}

/** Problems as `path: message` with the hint behind a bar: what a table of tests compares. */
export async function complaints(raw: unknown): Promise<string[]> {
  const problems = await problemsOf(raw)
  return problems.map(
    ({ path, message, hint }) => `${path}: ${message}${hint === undefined ? '' : ` | ${hint}`}`,
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
