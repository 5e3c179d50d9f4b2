import { openLab } from './lab.ts'
import { machines } from './machines.ts'

const lab = openLab()

/** True when this run took the lab up and so must take it down: one that was up already is used and left alone. */
let ours = false

/** Runs once before all lab tests (vitest's globalSetup). */
export async function setup(): Promise<void> {
  const record = await lab.record()
  if (record?.machines.length === machines.length) {
    console.log(`lab ${lab.name}: up since ${record.upSince}, used as it is`)
    return
  }
  ours = true
  await lab.up([], (line) => console.log(`lab ${lab.name}: ${line}`))
}

export async function teardown(): Promise<void> {
  if (ours) await lab.down()
}
