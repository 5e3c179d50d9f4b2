import type { InstancePlace } from './instance-place.ts'

/** It never starts as a primary again until this is taken away. On the disk, and not only in its cache. */
export async function markStandby({ host, data }: InstancePlace): Promise<void> {
  const postgres = host.as('postgres')
  const there = await postgres.read({ nothrow: true })`test -e ${data}/standby.signal`
  if (there.exitCode === 0) return
  await postgres.change`: > ${data}/standby.signal; sync -- ${data}/standby.signal ${data}`
}

/** Only while no other machine can have been promoted. */
export async function unmarkStandby({ host, data }: InstancePlace): Promise<void> {
  const postgres = host.as('postgres')
  const there = await postgres.read({ nothrow: true })`test -e ${data}/standby.signal`
  if (there.exitCode !== 0) return
  await postgres.change`rm -f -- ${data}/standby.signal; sync -- ${data}`
}
