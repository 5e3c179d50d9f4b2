import { expect, test } from 'vitest'
import type * as z from 'zod'

import { ask } from '../../../../lib/postgres/restore/check.ts'
import type { Sql } from '../../../../lib/postgres/sql.ts'
import { FakePostgres, FakeServer } from '../fake-postgres.ts'

class Answering extends FakeServer {
  asked = ''
  readonly #answer: string

  constructor(answer: string) {
    super(new FakePostgres())
    this.#answer = answer
  }

  override async select<Row extends z.ZodType>(row: Row, { text }: Sql): Promise<z.infer<Row>[]> {
    this.asked = text
    return [row.parse({ answer: this.#answer })]
  }
}

function table(...rows: string[]): string {
  const inside = rows.map((row) => `<row>\n  ${row}\n</row>\n`).join('\n')
  return `<table xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n\n${inside}\n</table>\n`
}

test.each([
  [table('<_x003F_column_x003F_>true</_x003F_column_x003F_>'), 'true'],
  [table('<ok>false</ok>'), 'false'],
  [table('<ok xsi:nil="true"/>'), 'null'],
  [table('<count>0</count>'), '0'],
  [table(), '0 rows'],
  [table('<ok>true</ok>', '<ok>true</ok>'), '2 rows'],
  [table('<a>true</a>\n  <b>true</b>'), '2 columns'],
])('an answer is read as it is: %#', async (answer, told) => {
  expect(await ask(new Answering(answer), 'shop', 'select true')).toBe(told)
})

test('its text reaches the server as a value', async () => {
  const server = new Answering(table('<ok>true</ok>'))
  await ask(server, 'shop', String.raw`select 'it''s'; \! reboot`)
  expect(server.asked).toContain(String.raw`E'select ''it''''s''; \\! reboot'`)
})
