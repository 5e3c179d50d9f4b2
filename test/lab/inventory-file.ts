import { writeFile } from 'node:fs/promises'

import { addressOf, type Machine, sshNetwork, storeEndpoint } from './machines.ts'
import { filesOf, type Place } from './place.ts'
import type { Secrets } from './secrets.ts'

function hostEntry(machine: Machine, key: string) {
  return {
    addresses: Object.fromEntries(machine.cables.map((network) => [network, addressOf(machine, network)])),
    ssh: {
      network: sshNetwork(machine),
      user: machine.login.user,
      port: machine.port,
      key,
      ...(machine.jump && { jump: machine.jump }),
      ...(machine.login.user === 'ops' &&
        machine.login.sudo === 'password' && { sudoPassword: 'env:PG_PRIMARY_SUDO_PASSWORD' }),
    },
    ...(machine.name === 'pve' && { proxmox: true }),
    ...(machine.guestOf && { guestOf: machine.guestOf }),
  }
}

const services = {
  postgres: {
    main: {
      version: 17,
      port: 5432,
      hosts: ['pg-primary', 'pg-replica'],
      databases: {
        weltenwind: { owner: 'ww_app', shadow: 'weltenwind_shadow', environment: 'development' },
      },
      replication: 'replicator',
      roles: {
        ww_app: { password: 'env:PG_APP_PASSWORD' },
        replicator: { password: 'env:PG_REPLICATION_PASSWORD' },
      },
      access: ['weltenwind', 'weltenwind_shadow'].flatMap((database) =>
        ['internal', 'lan'].map((from) => ({ role: 'ww_app', database, from })),
      ),
    },
  },
  apps: {
    weltenwind: {
      environment: 'development',
      host: 'vm-app',
      runtime: 'compose',
      directory: '/srv/weltenwind',
      file: 'docker-compose.yml',
      service: 'app',
      database: { cluster: 'main', name: 'weltenwind' },
      migrate: 'npx prisma migrate deploy',
      seed: 'npx prisma db seed',
      drift: 'node prisma/drift.js',
      migrations: 'prisma/migrations',
      envFile: '/src/.env',
      health: 'http://10.10.10.14:3000/api/health',
    },
  },
}

/** The service of the same compose file through which the app connects. */
const pooler = {
  runtime: 'compose',
  app: 'weltenwind',
  service: 'pgbouncer',
  directory: '/srv/weltenwind/pgbouncer',
}

function backup(recipient: string) {
  return {
    store: {
      endpoint: storeEndpoint,
      bucket: 'weltenwind-backups',
      accessKey: 'env:BACKUP_ACCESS_KEY',
      secretKey: 'env:BACKUP_SECRET_KEY',
    },
    recipients: [recipient],
    identity: 'env:BACKUP_IDENTITY',
  }
}

/** The lab's estate as a task's `--inventory`. Services are named only when all their machines are up. */
export async function writeInventory(
  place: Place,
  machines: readonly Machine[],
  { recipient }: Secrets,
): Promise<void> {
  const files = filesOf(place)
  const has = (...names: string[]) => names.every((name) => machines.some((machine) => machine.name === name))
  const inventory = {
    estate: 'weltenwind',
    networks: { internal: { cidr: '10.10.10.0/24' }, lan: { cidr: '192.168.2.0/24' } },
    hosts: {
      ...Object.fromEntries(machines.map((machine) => [machine.name, hostEntry(machine, files.key)])),
      workstation: { local: true },
    },
    ...(has('pg-primary', 'pg-replica') && {
      postgres: { main: { ...services.postgres.main, ...(has('vm-app') && { pooler }) } },
    }),
    ...(has('pg-primary', 'pg-replica', 'vm-app') && { apps: services.apps }),
    ...(has('pg-primary', 'pg-replica', 'pbs') && { backup: backup(recipient) }),
  }
  await writeFile(files.inventory, `${JSON.stringify(inventory, undefined, 2)}\n`)
}
