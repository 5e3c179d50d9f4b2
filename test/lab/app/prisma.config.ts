import { defineConfig } from 'prisma/config'

import { variable } from './environment.js'
import { MigrationAdapter } from './prisma/adapter.js'

export default defineConfig({
  experimental: { adapter: true },
  engine: 'js',
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations', seed: 'node prisma/seed.js' },
  adapter: async () => new MigrationAdapter(variable('DIRECT_URL'), process.env['SHADOW_DATABASE_URL']),
})
