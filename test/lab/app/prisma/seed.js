/**
 * Fills the database with what the app needs. Safe to run again.
 *
 * For tests, in .env or the environment:
 *   SEED_FAIL=1         ends with an error after the worlds
 *   SEED_PAUSE_MS=n     waits so long after each world
 *   SEED_MEGABYTES=n    adds so much of players, a megabyte at a time, each committed
 */
import { setTimeout as pause } from 'node:timers/promises'

import { connectDatabase } from '../database.js'

const WORLDS = [
  { slug: 'north-march', name: 'North March', assets: { parent: 'winter', bundle: 'north-1' } },
  { slug: 'storm-coast', name: 'Storm Coast', assets: { parent: 'sea', bundle: 'coast-4' } },
  { slug: 'ash-forest', name: 'Ash Forest', assets: { parent: 'forest', bundle: 'ash-2' } },
]
const PAGES = ['home', 'map', 'editor', 'admin']
const ROLES = ['PLAYER', 'EDITOR', 'ADMIN']

const database = connectDatabase()

async function seedWorlds() {
  for (const world of WORLDS) {
    const { slug, ...rest } = world
    await database.world.upsert({ where: { slug }, update: rest, create: world })
    console.log(`world ${slug}`)
    await pause(number('SEED_PAUSE_MS'))
  }
}

/** Players see the first two pages, editors three, admins all. */
async function seedPermissions() {
  for (const [at, page] of PAGES.entries()) {
    for (const [level, role] of ROLES.entries()) {
      const allowed = at < level + 2
      await database.pagePermission.upsert({
        where: { page_role: { page, role } },
        update: { allowed },
        create: { page, role, allowed },
      })
    }
  }
}

async function seedPlayers() {
  const world = await database.world.findUniqueOrThrow({ where: { slug: WORLDS[0].slug } })
  for (const name of ['Aino', 'Brand', 'Cleo']) {
    const email = `${name.toLowerCase()}@weltenwind.example`
    await database.player.upsert({ where: { email }, update: {}, create: { email, name, worldId: world.id } })
  }
  for (let megabyte = 1; megabyte <= number('SEED_MEGABYTES'); megabyte += 1) {
    await database.$executeRaw`
      INSERT INTO players (email, name, world_id)
      SELECT ${`${megabyte}-`} || n || '@crowd.example', repeat('x', 950), ${world.id} FROM generate_series(1, 1000) AS n
      ON CONFLICT DO NOTHING`
  }
}

function number(variable) {
  return Number(process.env[variable] ?? 0)
}

try {
  await seedWorlds()
  if (process.env.SEED_FAIL)
    throw new Error(`SEED_FAIL is ${process.env.SEED_FAIL}: the seed was told to fail`)
  await seedPermissions()
  await seedPlayers()
} catch (error) {
  // thrown on, node would first print the line it came from: 15,000 characters of Prisma's packed client
  console.error(error)
  process.exitCode = 1
} finally {
  await database.$disconnect()
}
