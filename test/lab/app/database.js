import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '@prisma/client'

import { variable } from './environment.js'

/** Goes through pgbouncer; only migrations use DIRECT_URL. */
export function connectDatabase() {
  return new PrismaClient({ adapter: new PrismaPg({ connectionString: variable('DATABASE_URL') }) })
}
