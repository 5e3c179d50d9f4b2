import { setTimeout as pause } from 'node:timers/promises'

import type { Store } from '../s3/store.ts'
import { clock } from './clock.ts'
import { prefixOf, stampOf } from './layout.ts'
import type { Subject } from './subject.ts'

/** A backup that is being made. */
export interface Begun {
  /** Key of its folder, with the `/` at its end. */
  at: string
  begun: Date
}

/** Gives it a folder that nothing is in: no backup ever writes over another one. */
export async function begin(store: Pick<Store, 'list'>, estate: string, subject: Subject): Promise<Begun> {
  for (;;) {
    const begun = clock.now()
    const at = `${prefixOf(estate, subject)}${stampOf(begun)}/`
    if ((await store.list(at)).length === 0) return { at, begun }
    await pause(1000)
  }
}
