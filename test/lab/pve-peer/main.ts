/**
 * The peer as a process of its own, to be started in the network of a machine of the lab. Reads its world and where to
 * listen as one line of JSON on stdin, says its fingerprints, and ends with its stdin.
 *
 *   node --import tsx test/lab/pve-peer/main.ts
 */
import { createInterface } from 'node:readline'

import { startPeer } from './peer.ts'

const lines = createInterface({ input: process.stdin })
lines.once('line', (line) => {
  const { world, at } = JSON.parse(line)
  void startPeer(world, at).then(({ pve, pbs }) => console.log(JSON.stringify({ pve, pbs })))
})
lines.once('close', () => process.exit())
