import type { Call, Script } from '../doubles.ts'
import { type FakeDatabase, FakePostgres } from '../postgres/fake-postgres.ts'
import { psqlOn } from '../postgres/psql.ts'

/** The shop's machines: its primary, its standby, and the app, which does what a test says. */
export class ShopMachines {
  readonly postgres: FakePostgres
  /** Rows of its tables. */
  rows: Record<string, number> = {}
  /** In the app's folder of migrations. */
  folder = ['1_init', '2_size']
  /** The app's `.env`. */
  settings = 'DATABASE_URL=postgresql://shop_app:secret@192.0.2.1/shop\n'
  /** What was run where the app runs. */
  readonly commands: string[] = []
  /** What a command does; returns its exit code. */
  command: (command: string, call: Call) => number | Promise<number> = () => 0
  readonly #standby = new FakePostgres()

  constructor(shop: Partial<FakeDatabase> = {}) {
    const comment = '[hausmeister environment=development]'
    this.postgres = new FakePostgres({ name: 'shop', owner: 'shop_app', comment, ...shop })
    this.#standby.standby = true
  }

  /** Notes a migration as applied, as Prisma would. */
  apply(name: string): void {
    const shop = this.postgres.get('shop')
    shop.migrations = [...(shop.migrations ?? []), { name, state: 'applied', log: null }]
  }

  readonly script = (machine: string): Script => {
    return async (call) => {
      const { script, say } = call
      if (script.includes('psql')) return this.#psql(machine, call)
      if (script.includes('flock')) {
        say('held\n')
        await call.input()
        return 0
      }
      if (script.includes('ls -d')) say(this.folder.map((name) => `${name}/\n`).join(''))
      else if (script.includes('cat -- /srv/shop/.env')) say(`there\n${this.settings}`)
      const command = /npm run (?:migrate|seed)/.exec(script)?.[0]
      if (command === undefined) return 0
      this.commands.push(`${machine} (${call.user}): ${command}`)
      return this.command(command, call)
    }
  }

  async #psql(machine: string, call: Call): Promise<number> {
    const text = await call.input()
    const answer = (rows: unknown[]): number => {
      call.say(JSON.stringify(rows))
      return 0
    }
    if (text.includes('has_table_privilege')) {
      return answer(Object.keys(this.rows).map((name) => ({ schema: 'public', name })))
    }
    if (text.includes('limit 100000')) {
      return answer(Object.entries(this.rows).map(([name, rows]) => ({ table: `public.${name}`, rows })))
    }
    const server = machine === 'pg-1' ? this.postgres : this.#standby
    return psqlOn(server)({ ...call, input: async () => text })
  }
}
