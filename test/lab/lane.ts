/** Runs before each test file (vitest's setupFiles): gives it the lab of its worker, and takes that up when it is not. */
import { isWhole, labOfLane } from './lanes.ts'

const lab = labOfLane(Number(process.env['VITEST_POOL_ID']))
process.env['LAB_NAME'] = lab.name
if (!(await isWhole(lab))) await lab.up([], (line) => console.log(`lab ${lab.name}: ${line}`))
