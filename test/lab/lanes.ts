import { type Lab, openLab } from './lab.ts'
import { machines } from './machines.ts'

/** How many test files run at a time, each on machines of its own. Most of a file's time is waiting. */
export const lanes = 2

/**
 * The lab of a lane: `hm-lab`, `hm-lab2`.
 * @param lane from 1
 */
export function labOfLane(lane: number): Lab {
  const { name } = openLab()
  return openLab(lane === 1 ? name : `${name}${lane}`)
}

export async function isWhole(lab: Lab): Promise<boolean> {
  return (await lab.record())?.machines.length === machines.length
}
