/** The role that owns the app's database and logs in to it. */
export const appRole = 'ww_app'

export interface SiteFacts {
  name: string
  shadow: string
  /** The app's folder. */
  app: string
  user: string
  ports: { db: number; app: number }
}

/** The inventory of the demo: a managed cluster that is reached through db-1, and an app on app-1. */
export function inventoryOf({ name, shadow, app, user, ports }: SiteFacts) {
  const host = (port: number) => ({ addresses: { loopback: '127.0.0.1' }, ssh: { user, port } })
  return {
    estate: 'demo',
    networks: { loopback: { cidr: '127.0.0.0/8' } },
    hosts: { 'db-1': host(ports.db), 'app-1': host(ports.app) },
    postgres: {
      main: {
        version: 18,
        url: 'env:PG_URL',
        via: 'db-1',
        databases: { [name]: { owner: appRole, shadow, environment: 'development' } },
        roles: { [appRole]: { password: 'env:PG_APP_PASSWORD' } },
      },
    },
    apps: {
      weltenwind: {
        environment: 'development',
        host: 'app-1',
        runtime: 'command',
        directory: app,
        database: { cluster: 'main', name },
        migrate: 'node migrate.mjs',
        seed: 'node seed.mjs',
        drift: 'node drift.mjs',
        migrations: 'migrations',
        envFile: '.env',
      },
    },
  }
}
