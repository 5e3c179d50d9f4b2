import type { Call } from '../doubles.ts'
import type { FakePostgres } from './fake-postgres.ts'

const one = /^select coalesce\(json_agg\(q\), '\[\]'\) from \((.*)\) q$/s
const several = /^select json_build_array\(\((.*)\)\)$/s

/** What psql prints for questions that were asked at once; undefined: the text is no question. */
export function answerTo(text: string, answer: (question: string) => unknown[]): string | undefined {
  const statement = text.replace(/;\n$/, '')
  const all = several.exec(statement)?.[1]?.split('),\n(') ?? [statement]
  const questions = all.flatMap((part) => one.exec(part)?.[1] ?? [])
  if (questions.length < all.length) return undefined
  const rows = questions.map((question) => answer(question))
  return JSON.stringify(rows.length === 1 ? rows[0] : rows)
}

/** Answers as `psql` on a machine would: SQL on stdin, JSON or nothing on stdout, errors on stderr. */
export function psqlOn(postgres: FakePostgres): (call: Call) => Promise<number> {
  return async ({ script, input, say, complain }) => {
    const database = /'?dbname='(?:\\'')?(.*?)(?:'\\'')?'*$/.exec(unquoted(script))?.[1] ?? ''
    const text = await input()
    try {
      const answer = answerTo(text, (question) => {
        if (script.includes("PGOPTIONS='-c default_transaction_read_only=on'"))
          return postgres.select(question, database)
        throw new Error('a question that could change something')
      })
      if (answer === undefined) {
        postgres.connect(database)
        postgres.change(text.split(';\n').filter((statement) => statement !== ''))
      } else {
        say(answer)
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
