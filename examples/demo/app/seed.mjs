/** Fills the database with what the app needs. Safe to run again. */
import { main } from './database.mjs'

const worlds = [
  { slug: 'north-march', name: 'North March', assets: { parent: 'winter', bundle: 'north-1' } },
  { slug: 'storm-coast', name: 'Storm Coast', assets: { parent: 'sea', bundle: 'coast-4' } },
  { slug: 'ash-forest', name: 'Ash Forest', assets: { parent: 'forest', bundle: 'ash-2' } },
]
const players = ['aino', 'brand', 'cleo']
const pages = ['home', 'map', 'editor', 'admin']
const roles = ['PLAYER', 'EDITOR', 'ADMIN']

await main(async (client) => {
  for (const { slug, name, assets } of worlds) {
    await client.query(
      `INSERT INTO worlds (slug, name, assets) VALUES ($1, $2, $3)
      ON CONFLICT (slug) DO UPDATE SET name = excluded.name, assets = excluded.assets`,
      [slug, name, assets],
    )
    console.log(`world ${name}`)
  }
  for (const player of players) {
    await client.query(
      `INSERT INTO players (email, world_id) SELECT $1, id FROM worlds WHERE slug = $2 ON CONFLICT DO NOTHING`,
      [`${player}@weltenwind.example`, worlds[0].slug],
    )
  }
  // Players see the first two pages, editors three, admins all.
  for (const [level, role] of roles.entries()) {
    await client.query(
      `INSERT INTO page_permissions (page, role, allowed)
      SELECT page, $2, ordinal <= $3 FROM unnest($1::text[]) WITH ORDINALITY AS pages (page, ordinal)
      ON CONFLICT (page, role) DO UPDATE SET allowed = excluded.allowed`,
      [pages, role, level + 2],
    )
  }
  console.log(`${pages.length * roles.length} page permissions`)
})
