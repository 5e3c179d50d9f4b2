import { readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import * as z from 'zod'

import { Inventory } from './inventory.ts'

const FILE = fileURLToPath(new URL('../../inventory.schema.json', import.meta.url))

/** The schema for editors. Draft 7, because VS Code's JSON support reads no later one whole. */
export function schemaText(): string {
  const schema = z.toJSONSchema(Inventory, { io: 'input', target: 'draft-7' })
  return `${JSON.stringify({ ...schema, title: 'hausmeister inventory' }, undefined, 2)}\n`
}

/** The file as it is in the repository, with the line ends that `schemaText` uses. */
export function schemaOnDisk(): string {
  return readFileSync(FILE, 'utf8').replaceAll('\r\n', '\n')
}

if (realpathSync(process.argv[1] ?? '.') === fileURLToPath(import.meta.url)) writeFileSync(FILE, schemaText())
