import { isWhole, labOfLane, lanes } from './lanes.ts'

const labs = Array.from({ length: lanes }, (_, index) => labOfLane(index + 1))

/** Those that this run takes up, and so must take down: one that was up already is used and left alone. */
let ours = labs

/** Runs once before all lab tests (vitest's globalSetup). */
export async function setup(): Promise<void> {
  const up = await Promise.all(labs.map(isWhole))
  ours = labs.filter((_, index) => !up[index])
  for (const lab of labs) if (!ours.includes(lab)) console.log(`lab ${lab.name}: up, used as it is`)
  // Once, and not by two lanes at the same time.
  await ours[0]?.build((line) => console.log(line))
}

export async function teardown(): Promise<void> {
  for (const lab of ours) await lab.down()
}
