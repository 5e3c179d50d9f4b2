import { expect, test } from 'vitest'
import * as z from 'zod'

import { Access, Host } from '../../../../lib/host/host.ts'
import { checkRoom } from '../../../../lib/postgres/restore/room.ts'
import type { Server } from '../../../../lib/postgres/server.ts'
import { RecordedRun, rejection, ScriptedMachine } from '../../doubles.ts'

const folder = '/var/lib/postgresql/data'
const wal = 1024 ** 3

const server: Pick<Server, 'name' | 'select'> = {
  name: 'desk (container box)',
  select: async (row) => z.array(row).parse([{ folder, wal }]),
}

// busybox 1.36
const said = `Filesystem           1024-blocks    Used Available Capacity Mounted on
overlay of mine       61255492  41255492   3145728  93% /
`

function check(bytes: number) {
  const machine = new ScriptedMachine('desk', ({ script, say }) => {
    say(script.includes(`podman exec -i box env LC_ALL=C df -P -k ${folder}`) ? said : '')
    return 0
  })
  const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), 'root')
  return checkRoom(server, { host, inside: ['podman', 'exec', '-i', 'box'] }, bytes)
}

test('room is asked where the server is, for the database and the WAL of its restore', async () => {
  expect(await check(2 * 1024 ** 3)).toBe(3 * 1024 ** 3)
  expect(await rejection(check(2 * 1024 ** 3 + 1))).toMatchObject({
    message: expect.stringMatching(/^\/var\/lib\/postgresql\/data on desk \(container box\) has .* free/),
    next: expect.stringContaining('df -h'),
  })
})
