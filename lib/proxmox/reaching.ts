import type { Run } from '../host/events.ts'
import type { Hosts } from '../host/hosts.ts'
import type { Estate } from '../inventory/estate.ts'

/** What is needed to talk to the APIs of an estate. */
export interface Reaching {
  estate: Estate
  hosts: Hosts
  run: Run
}
