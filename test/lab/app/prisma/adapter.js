import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'

const { CHAR, TEXT } = pg.types.builtins
const NAME = 19
const LOCK_PATIENCE = 10_000

/**
 * Prisma's engine gives its lock ten seconds, by a timer which it never clears, so that each `migrate deploy` would
 * end ten seconds after its work. While a query runs, its connection keeps the process alive.
 */
const { setTimeout } = globalThis
globalThis.setTimeout = (work, delay, ...rest) => {
  const timer = setTimeout(work, delay, ...rest)
  if (delay === LOCK_PATIENCE) timer.unref()
  return timer
}

/**
 * @prisma/adapter-pg 6.19 has no answer for the types "char" and name, in which PostgreSQL's catalogue
 * speaks: every `prisma migrate` ends with "Column type 'name' could not be deserialized" (prisma/orm 27403).
 * Both arrive as text, so they are called text.
 */
class CataloguePool extends pg.Pool {
  async query(...query) {
    const result = await super.query(...query)
    for (const field of result.fields ?? []) {
      if (field.dataTypeID === CHAR || field.dataTypeID === NAME) field.dataTypeID = TEXT
    }
    return result
  }
}

/** The adapter for `prisma migrate` and `prisma db pull`, straight to the server: their lock belongs to one session. */
export class MigrationAdapter extends PrismaPg {
  #shadow

  constructor(url, shadow) {
    // `db pull` and `migrate diff` never close it: without allowExitOnIdle they end ten seconds late
    const pool = new CataloguePool({ connectionString: url, max: 1, allowExitOnIdle: true })
    super(pool, { disposeExternalPool: true })
    this.#shadow = shadow
  }

  async connect() {
    const connection = await super.connect()
    // The package's own cuts the script at every semicolon and runs the pieces one by one; sent whole, a
    // migration that fails leaves nothing behind, as with Prisma's Rust engine.
    connection.executeScript = async (script) => {
      await connection
        .underlyingDriver()
        .query(script)
        .catch((error) => connection.onError(error))
    }
    return connection
  }

  /** The package's own needs the right to create databases. This one empties the shadow database. */
  async connectToShadowDb() {
    if (!this.#shadow) throw new Error('SHADOW_DATABASE_URL is not set')
    const connection = await new MigrationAdapter(this.#shadow).connect()
    await connection.executeScript('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    return connection
  }
}
