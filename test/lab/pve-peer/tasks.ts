import { guestsOf, type World, type WorldJob, type WorldSnapshot } from './world.ts'

interface Running {
  upid: string
  user: string
  node: string
  log: string[]
  end: string | undefined
}

/** vzdump on the nodes of the world: each run takes a while, writes a log, and makes snapshots. */
export class Tasks {
  readonly #world: World
  readonly all: Running[] = []
  #count = 0

  constructor(world: World) {
    this.#world = world
  }

  /** @returns its UPID, or OK when the node has none of the guests */
  start(node: string, user: string, given: Record<string, string>): string {
    const job: WorldJob = {
      id: '',
      storage: given['storage'] ?? 'local',
      ...(given['vmid'] === undefined ? {} : { vmid: given['vmid'] }),
      ...(given['pool'] === undefined ? {} : { pool: given['pool'] }),
      ...(given['exclude'] === undefined ? {} : { exclude: given['exclude'] }),
      ...(given['all'] === '1' ? { all: 1 } : {}),
    }
    const guests = guestsOf(this.#world, job).filter((guest) => guest.node === node)
    if (guests.length === 0) return 'OK'
    const [only, ...others] = guests
    const time = Math.floor(Date.now() / 1000) + this.#world.pveAhead
    const id = others.length === 0 ? String(only?.vmid) : ''
    this.#count += 1
    const upid = `UPID:${node}:${hex(4000 + this.#count)}:${hex(77_000)}:${hex(time)}:vzdump:${id}:${user}:`
    const running: Running = {
      upid,
      user,
      node,
      end: undefined,
      log: ['INFO: starting new backup job: vzdump'],
    }
    this.all.push(running)
    const namespace = this.#world.storages.find(({ storage }) => storage === job.storage)?.namespace ?? ''
    const snapshots = (this.#world.snapshots[namespace] ??= [])
    const { ms, end, stores } = this.#world.vzdump
    const made = guests.map((guest): WorldSnapshot => ({
      type: guest.type === 'qemu' ? 'vm' : 'ct',
      id: String(guest.vmid),
      time,
    }))
    for (const { vmid, type } of guests) running.log.push(`INFO: Starting Backup of VM ${vmid} (${type})`)
    if (stores) snapshots.push(...made)
    // More lines than the API tells in one answer when it is not asked for more.
    for (let step = 1; step <= 60; step += 1) {
      setTimeout(
        () => running.log.push(`INFO: ${step}% (${step}.0 GiB of 100.0 GiB) in ${step}s`),
        (ms * step) / 61,
      )
    }
    setTimeout(() => {
      if (running.end !== undefined) return
      if (end === 'OK' || end.startsWith('WARNINGS')) {
        for (const one of made) one.size = 1_073_741_824
        running.log.push('INFO: Backup job finished successfully', `TASK ${end}`)
      } else {
        snapshots.splice(0, snapshots.length, ...snapshots.filter((one) => !made.some((own) => own === one)))
        running.log.push(`ERROR: Backup of VM ${only?.vmid} failed - ${end}`, `TASK ERROR: ${end}`)
      }
      running.end = end
    }, ms)
    return upid
  }

  stop(upid: string): void {
    const running = this.all.find((one) => one.upid === upid)
    if (!running || running.end !== undefined) return
    running.end = 'interrupted by signal'
    running.log.push('TASK ERROR: interrupted by signal')
  }
}

/** As UPIDs have numbers. */
function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0')
}
