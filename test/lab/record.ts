import { readFile, writeFile } from 'node:fs/promises'

import * as z from 'zod'

import { suites } from './machines.ts'
import { filesOf, type Place } from './place.ts'

/** What is up: written last by `up`, so that its presence says that the lab is whole. */
const LabRecord = z.object({
  trees: z.partialRecord(z.enum(suites), z.string()),
  machines: z.array(z.string()),
  upSince: z.string(),
})
export type LabRecord = z.infer<typeof LabRecord>

export async function writeRecord(place: Place, record: LabRecord): Promise<void> {
  await writeFile(filesOf(place).record, JSON.stringify(record))
}

/** Undefined when no lab is up. */
export async function readRecord(place: Place): Promise<LabRecord | undefined> {
  const text = await readFile(filesOf(place).record, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : LabRecord.parse(JSON.parse(text))
}
