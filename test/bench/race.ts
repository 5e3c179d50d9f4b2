/** One way to do the same work. */
export interface Contestant {
  /** Does the work once. Milliseconds, by name: one run may show two things, the whole and a part of it. */
  run(): Promise<Record<string, number>>
}

export interface RaceOptions {
  /** At most. */
  rounds: number
  /** No new round is begun after this time, once there are three. Milliseconds. */
  budget: number
}

const leastRounds = 3

/** Milliseconds of each round, by name. */
export type Times = ReadonlyMap<string, readonly number[]>

/**
 * Lets all take turns, so that what else the machine does meanwhile slows down each of them alike. Who
 * begins changes from round to round.
 */
export async function race(contestants: readonly Contestant[], options: RaceOptions): Promise<Times> {
  const times = new Map<string, number[]>()
  const start = performance.now()
  for (let round = 0; round < options.rounds; round += 1) {
    if (round >= leastRounds && performance.now() - start > options.budget) break
    const first = round % contestants.length
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      for (const [name, ms] of Object.entries(await contestant.run())) {
        times.set(name, [...(times.get(name) ?? []), ms])
      }
    }
  }
  return times
}

/** Throws for a name that did not take part. */
export function median(times: Times, name: string): number {
  const sorted = (times.get(name) ?? []).toSorted((a, b) => a - b)
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]]
  if (low === undefined || high === undefined) throw new Error(`${name} was not measured`)
  return (low + high) / 2
}

export function roundsOf(times: Times): number {
  return Math.min(...[...times.values()].map((each) => each.length))
}
