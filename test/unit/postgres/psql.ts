import type { Call } from '../doubles.ts'
import type { FakePostgres } from './fake-postgres.ts'

/** Answers as `psql` on a machine would: SQL on stdin, JSON or nothing on stdout, errors on stderr. */
export function psqlOn(postgres: FakePostgres): (call: Call) => Promise<number> {
  return async ({ script, input, say, complain }) => {
    const database = /'?dbname='(?:\\'')?(.*?)(?:'\\'')?'*$/.exec(unquoted(script))?.[1] ?? ''
    const text = await input()
    const question = /^select coalesce\(json_agg\(q\), '\[\]'\) from \((.*)\) q;\n$/s.exec(text)?.[1]
    try {
      if (question === undefined) {
        postgres.connect(database)
        postgres.change(text.split(';\n').filter((statement) => statement !== ''))
      } else if (!script.includes("PGOPTIONS='-c default_transaction_read_only=on'")) {
        throw new Error('a question that could change something')
      } else {
        say(JSON.stringify(postgres.select(question, database)))
      }
      return 0
    } catch (error) {
      // A machine that goes away in the middle gives no exit code.
      if (error instanceof Error && error.name === 'HostError') throw error
      complain(`ERROR:  ${error instanceof Error ? error.message : String(error)}\n`)
      return 3
    }
  }
}

/** `'dbname='\''shop'\'''` → `dbname='shop'` */
function unquoted(script: string): string {
  return script.replaceAll(String.raw`'\''`, "'")
}
