import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execa } from 'execa'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'

import { clusterTarget } from '../../../../lib/postgres/replication/cluster-target.ts'
import { fenceScript } from '../../../../lib/postgres/replication/fence.ts'
import { estateOf } from '../../doubles.ts'
import { primary } from './nodes-sample.ts'

const own = '7711751910009776589'
const folder = await mkdtemp(join(tmpdir(), 'hausmeister-fence-'))
const data = join(folder, 'main')
const bin = join(folder, 'bin')
afterAll(() => rm(folder, { recursive: true }))

async function stub(name: string, text: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`)
  await chmod(join(bin, name), 0o755)
}

/** What another machine says to IDENTIFY_SYSTEM, or nothing at all. */
function answers(by: Record<string, string>): Promise<void> {
  const cases = Object.entries(by).map(([address, answer]) => `  *host=${address}\\ *) ${answer} ;;`)
  return stub(
    'psql',
    `echo "$@" >> ${data}.asked\ncase "$*" in\n${cases.join('\n')}\n  *) echo 'connection refused' >&2; exit 2 ;;\nesac`,
  )
}
const is = (timeline: number, system = own) => `echo '${system}|${timeline}|0/5000000|'`

/** As systemd runs it before the server. */
async function startable(): Promise<{ exitCode: number | undefined; stderr: string }> {
  const hosts = Object.fromEntries(
    [1, 2, 3].map((octet) => [`pg-${octet}`, { addresses: { lan: `192.0.2.${octet}` } }]),
  )
  const estate = await estateOf({
    networks: { lan: { cidr: '192.0.2.0/24' } },
    hosts,
    postgres: {
      main: {
        hosts: ['pg-1', 'pg-2', 'pg-3'],
        port: 5433,
        replication: "o'standby",
        roles: { "o'standby": { password: 'env:STANDBY' } },
      },
    },
  })
  const instance = { ...primary('pg-1').instance, data, bin, passfile: `${data}.pgpass` }
  const script = join(bin, 'fence')
  await writeFile(script, fenceScript(estate, clusterTarget(estate, 'main'), instance))
  const { exitCode, stderr } = await execa('sh', [script], {
    reject: false,
    env: { PATH: `${bin}:${process.env['PATH']}` },
  })
  return { exitCode, stderr }
}

beforeEach(async () => {
  await rm(data, { recursive: true, force: true })
  await rm(`${data}.asked`, { force: true })
  await mkdir(join(data, 'pg_wal'), { recursive: true })
  await mkdir(bin, { recursive: true })
  await writeFile(join(data, 'PG_VERSION'), '17\n')
  await writeFile(join(data, 'pg_wal', '00000002000000000000000A'), '')
  await stub('pg_controldata', `echo 'Database system identifier:           ${own}'`)
  // Its user need not exist here.
  await stub('runuser', 'shift 3; exec "$@"')
  await answers({})
})

const starts = { exitCode: 0, stderr: '' }
const superseded = (name: string, theirs: number, mine: number) => ({
  exitCode: 1,
  stderr: `${name} is on timeline ${theirs} and this machine on ${mine}: it was superseded, and is not started as a primary`,
})

describe('a primary starts', () => {
  test('when nobody answers, and it has asked all the others as the replication role', async () => {
    expect(await startable()).toEqual(starts)
    const asked = (await readFile(`${data}.asked`, 'utf8')).trim().split('\n')
    expect(asked).toEqual(
      ['192.0.2.2', '192.0.2.3'].map((address) =>
        expect.stringMatching(
          new RegExp(
            `-w -d host=${address} port=5433 user='o\\\\'standby' passfile=\\S+ .* -c IDENTIFY_SYSTEM$`,
          ),
        ),
      ),
    )
  })

  test.each([
    ['its standbys are on its timeline', { '192.0.2.2': is(2), '192.0.2.3': is(2) }],
    ['another one is behind it', { '192.0.2.2': is(1) }],
    ['what answers there is another cluster', { '192.0.2.2': is(9, '4711') }],
    ['the answer makes no sense', { '192.0.2.2': 'echo; exit 0' }],
  ])('when %s', async (_, others) => {
    await answers(others)
    expect(await startable()).toEqual(starts)
  })
})

describe('a primary does not start', () => {
  test('when another machine is on a later timeline, the last one that is asked too', async () => {
    await answers({ '192.0.2.2': is(3) })
    expect(await startable()).toEqual(superseded('pg-2', 3, 2))
    await answers({ '192.0.2.2': is(2), '192.0.2.3': is(10) })
    expect(await startable()).toEqual(superseded('pg-3', 10, 2))
  })

  test('timelines are counted as numbers, and WAL files name them by hexadecimal ones', async () => {
    await writeFile(join(data, 'pg_wal', '0000000A000000000000000B'), '')
    await answers({ '192.0.2.2': is(9) })
    expect(await startable()).toEqual(starts)
    await answers({ '192.0.2.2': is(11) })
    expect(await startable()).toEqual(superseded('pg-2', 11, 10))
  })

  test('a promotion of its own counts that has written no WAL yet, and nothing else that lies there', async () => {
    await writeFile(join(data, 'pg_wal', '00000003.history'), '')
    await mkdir(join(data, 'pg_wal', 'archive_status'))
    await writeFile(join(data, 'pg_wal', '00000009000000000000000C.partial'), '')
    await answers({ '192.0.2.2': is(3) })
    expect(await startable()).toEqual(starts)
    await answers({ '192.0.2.2': is(4) })
    expect(await startable()).toEqual(superseded('pg-2', 4, 3))
  })
})

describe('a pid file that a power cut has left', () => {
  const file = join(data, 'postmaster.pid')
  const left = async (pid: number | undefined) => {
    await writeFile(file, `${pid}\n${data}\n`)
    expect(await startable()).toEqual(starts)
    return (await readdir(data)).includes('postmaster.pid')
  }

  test('is taken away when another process has its number, on a standby too', async () => {
    expect(await left(process.pid)).toBe(false)
    await writeFile(join(data, 'standby.signal'), '')
    expect(await left(process.pid)).toBe(false)
  })

  test('is left to PostgreSQL when it names a server, or nobody', async () => {
    await copyFile('/bin/sleep', join(bin, 'postgres'))
    const server = execa(join(bin, 'postgres'), ['60'], { reject: false })
    expect(await left(server.pid)).toBe(true)
    server.kill()
    await server
    expect(await left(server.pid)).toBe(true)
  })
})

test.each([
  ['a standby', () => writeFile(join(data, 'standby.signal'), '')],
  ['a machine without data', () => rm(data, { recursive: true })],
])('%s asks nobody', async (_, prepare) => {
  await prepare()
  await answers({ '192.0.2.2': is(9) })
  expect(await startable()).toEqual(starts)
  await expect(readFile(`${data}.asked`)).rejects.toThrow(/ENOENT/)
})
