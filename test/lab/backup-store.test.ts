import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { counts } from './cluster-stage.ts'
import { notes, type Outcome, runTask } from './faults/task-run.ts'
import { openLab } from './lab.ts'
import { addressOf, machineNamed } from './machines.ts'
import { placeStoreImage, removeStoreImage, storeImage } from './store-image.ts'

/** A store of our own: Swift in a container stands in for RustFS, whose image cannot be had here. */
const lab = openLab()
const directory = '/srv/backup-store'
const name = 'hausmeister-weltenwind-store'
const mine = '# mine\nOTHER=1\n'

describe.each([
  { runtime: 'podman', program: 'podman', host: 'pbs', file: `/etc/systemd/system/${name}.service` },
  { runtime: 'compose', program: 'docker', host: 'vm-app', file: `${directory}/compose.yaml` },
] as const)('by $runtime', ({ runtime, program, host, file }) => {
  const address = addressOf(machineNamed(host), 'lan')
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hausmeister-store-'))
    const { hosts, networks } = JSON.parse(await readFile(lab.files.inventory, 'utf8'))
    const { recipient } = await lab.secrets()
    const store = {
      endpoint: `http://${address}:9000`,
      bucket: 'weltenwind-backups',
      accessKey: 'env:STORE_KEY',
      secretKey: 'env:STORE_SECRET',
      server: { host, runtime, directory },
    }
    const folders = [{ host: 'vm-assets', path: '/srv/tiny' }]
    const backup = { store, recipients: [recipient], folders }
    await writeFile(
      join(folder, 'inventory.json'),
      JSON.stringify({ estate: 'weltenwind', networks, hosts, backup }),
    )
    await writeFile(join(folder, '.env'), mine, { mode: 0o600 })
    await lab.sh('vm-assets', 'mkdir -p /srv/tiny; echo small > /srv/tiny/file')
    // The lab has no cgroup controllers, and podman would limit the number of processes.
    const limits = `mkdir -p /etc/containers; printf '[containers]\\npids_limit = 0\\n' > /etc/containers/containers.conf`
    await lab.sh(host, program === 'docker' ? 'systemctl --quiet enable --now docker' : limits)
  })

  afterAll(async () => {
    await lab.sh(
      host,
      `systemctl disable --now ${name} 2> /dev/null; ${program} rm -f ${name}; rm -rf ${directory} /etc/systemd/system/${name}.service /etc/containers/containers.conf; systemctl daemon-reload`,
      { nothrow: true },
    )
    await removeStoreImage(lab, host, program)
    await rm(folder, { recursive: true, force: true })
  })

  function run(task: string, ...flags: string[]): Promise<Outcome> {
    return runTask(lab, task, ['--inventory', join(folder, 'inventory.json'), ...flags])
  }

  async function expectFault(task: string, message: RegExp): Promise<void> {
    expect(await run(task)).toMatchObject({ code: 1, error: expect.stringMatching(message) })
  }

  async function backups(): Promise<unknown> {
    const { events } = await run('backup-list')
    return events.find(({ event }) => event === 'data')?.data
  }

  test('no image, a port that is taken, a container of somebody else: named, and nothing is made', async () => {
    await expectFault('backup-up', new RegExp(`cannot have the image ${storeImage}[^]*${program} load -i`))
    await placeStoreImage(lab, host, program)
    await lab.sh(host, 'systemd-run -q --unit=squatter python3 -m http.server 9000')
    await expect
      .poll(async () => (await lab.sh(host, 'ss -Hltn sport = :9000')).stdout, { timeout: 20_000 })
      .not.toBe('')
    await expectFault('backup-up', new RegExp(`port 9000 of ${host} is taken by python3`))
    await lab.sh(host, `systemctl stop squatter; ${program} create --name ${name} ${storeImage}`)
    await expectFault('backup-up', /is not of hausmeister for weltenwind: it is left alone[^]*rm --force/)
    await lab.sh(host, `${program} rm ${name}`)
    expect((await lab.sh(host, `ls -d ${directory} ${file} 2> /dev/null || true`)).stdout).toBe('')
    expect(await readFile(join(folder, '.env'), 'utf8')).toBe(mine)
  })

  test('keys are made, the store runs, a second run has nothing to do, and it can be backed up into', async () => {
    const dry = await run('backup-up', '--dry-run')
    expect(dry).toMatchObject({ code: 0, error: '' })
    expect(counts(dry).changed).toBe(0)
    const first = await run('backup-up')
    expect(first).toMatchObject({ code: 0, error: '' })
    const env = await readFile(join(folder, '.env'), 'utf8')
    expect(env).toMatch(/^# mine\nOTHER=1\nSTORE_KEY=[A-Z2-7]{20}\nSTORE_SECRET=[\w-]{40}\n$/)
    expect((await stat(join(folder, '.env'))).mode & 0o777).toBe(0o600)
    const keys = env
      .split('\n')
      .flatMap((line) => (line.startsWith('STORE_') ? (line.split('=')[1] ?? []) : []))
    const told = JSON.stringify(first.events) + first.stderr
    for (const key of keys) expect(told).not.toContain(key)
    const there = await lab.sh(
      host,
      `stat -c '%a %U' ${directory}/store.env; stat -c %u ${directory}/data; ss -Hltn | grep -E ':900[01] ' | awk '{ print $4 }'; ps -eo args | grep -c '[R]USTFS_SECRET' || true`,
    )
    expect(there.stdout).toBe(`600 root\n10001\n${address}:9000\n0`)
    const second = await run('backup-up')
    expect(second).toMatchObject({ code: 0, error: '' })
    expect(counts(second).changed).toBe(0)
    expect(await run('backup-now')).toMatchObject({ code: 0, error: '' })
  })

  test('a file that was changed by hand is left alone; after a reboot the store is there', async () => {
    await lab.sh(host, `cp ${file} /tmp/kept; sed -i 's/no-new-privileges/label=disable/' ${file}`)
    const edited = (await lab.sh(host, `cat ${file}`)).stdout
    for (const task of ['backup-up', 'backup-down']) {
      await expectFault(task, new RegExp(`${file} on ${host} was changed by hand[^]*mv ${file}`))
    }
    expect((await lab.sh(host, `cat ${file}`)).stdout).toBe(edited)
    await lab.sh(host, `cp /tmp/kept ${file}`)
    await lab.poweroff(host)
    await lab.poweron(host)
    await expect
      .poll(backups, { timeout: 90_000, interval: 1000 })
      .toMatchObject({ backups: [{ state: 'whole' }] })
  })

  test('one that does not start says why; down keeps the data, up finds it, and --destroy-data deletes it', async () => {
    expect(await run('backup-down')).toMatchObject({ code: 0, error: '' })
    const left = await lab.sh(
      host,
      `${program} ps --all --quiet --filter name=${name}; ls -A ${directory}; ls ${file} 2> /dev/null || true`,
    )
    expect(left.stdout.trim()).toBe('data')
    expect(counts(await run('backup-down'))).toMatchObject({ changed: 0 })
    await lab.sh(host, `touch ${directory}/data/refuse`)
    await expectFault('backup-up', /has ended \d+ times[^]*the stand-in refuses to start/)
    await lab.sh(host, `rm ${directory}/data/refuse`)
    expect(await run('backup-up')).toMatchObject({ code: 0, error: '' })
    expect(await backups()).toMatchObject({ backups: [{ state: 'whole' }] })
    // On another computer, whose .env does not have the keys yet.
    const env = await readFile(join(folder, '.env'), 'utf8')
    await writeFile(join(folder, '.env'), mine)
    expect(await run('backup-up')).toMatchObject({ code: 0, error: '' })
    expect(await readFile(join(folder, '.env'), 'utf8')).toBe(env)
    const gone = await run('backup-down', '--destroy-data', '--yes')
    expect(gone).toMatchObject({ code: 0, error: '' })
    expect(notes(gone)).toMatch(/vm-assets.*1 backup/)
    expect((await lab.sh(host, `ls -d ${directory} ${file} 2> /dev/null || true`)).stdout).toBe('')
  })
})
