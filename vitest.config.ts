import { defineConfig } from 'vitest/config'

import { lanes } from './test/lab/lanes.ts'

export default defineConfig({
  test: {
    projects: [
      // Threads that keep what they have loaded: half the time, and no test changes what another one sees.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          // Property tests take a second or two, and twenty times that on a loaded machine.
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'embedded',
          include: ['test/embedded/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: ['test/lab/app/**'],
          globalSetup: ['test/lab/setup.ts'],
          setupFiles: ['test/lab/lane.ts'],
          testTimeout: 120_000,
          hookTimeout: 600_000,
          maxWorkers: lanes,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
