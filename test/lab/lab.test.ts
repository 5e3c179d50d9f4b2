import { readFile, stat } from 'node:fs/promises'

import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'

import { loadEstate } from '../../lib/inventory/load.ts'
import { secretRefs } from '../../lib/inventory/secrets.ts'
import { openLab } from './lab.ts'
import { machines } from './machines.ts'

const lab = openLab()

async function ssh(host: string, command: string, input?: string) {
  const args = ['-F', lab.files.sshConfig, '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=5', host, command]
  const { stdout, stderr, exitCode } = await lab.controller('ssh', args, {
    reject: false,
    timeout: 20_000,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  })
  return { stdout, stderr, exitCode }
}

/** `open`, or `refused`, `unreachable`, or `silence` when nothing came back for the given time. */
const knock = `
const socket = require('node:net').connect({ host: process.argv[1], port: Number(process.argv[2]) })
const end = (word) => { console.log(word); process.exit() }
socket.on('connect', () => end('open'))
socket.on('error', (error) => end({ ECONNREFUSED: 'refused', ENETUNREACH: 'unreachable' }[error.code] ?? error.code))
setTimeout(() => end('silence'), Number(process.argv[3]))`

async function tryConnect(address: string, port: number, patience = 4000): Promise<string> {
  const args = ['-e', knock, address, String(port), String(patience)]
  return (await lab.controller(process.execPath, args)).stdout
}

describe('hosts', () => {
  test('all ten run, and each systemd says that nothing failed', async () => {
    expect(await lab.status()).toEqual(machines.map(({ name }) => ({ name, power: 'on', cables: 'whole' })))
    const states = await Promise.all(
      machines.map(async ({ name }) => {
        const { stdout } = await lab.sh(name, 'hostname; systemctl is-system-running --wait', {
          nothrow: true,
        })
        return stdout
      }),
    )
    expect(states).toEqual(machines.map(({ name }) => `${name}\nrunning`))
  })

  test('each lets its user in, from the workstation, with the key that known_hosts has', async () => {
    const seen = await Promise.all(machines.map(({ name }) => ssh(name, 'echo $(id -un) $(hostname)')))
    expect(seen.map((result) => result.stdout)).toEqual(
      machines.map(({ name, login }) => `${login.user} ${name}`),
    )
  })

  test('root stays outside where ops is the user', async () => {
    for (const name of ['pg-primary', 'vm-app']) {
      expect(await ssh(`root@${name}`, 'true')).toMatchObject({
        exitCode: 255,
        stderr: expect.stringMatching(/Permission denied/),
      })
    }
  })

  test('they know each other by name on the internal network', async () => {
    const { stdout } = await lab.sh(
      'vm-app',
      'getent hosts pg-replica; ping -c 1 -W 2 -q pg-replica >/dev/null && echo reached',
    )
    expect(stdout).toBe('10.10.10.12     pg-replica\nreached')
  })
})

describe('ways to log in', () => {
  test('pg-replica is reached through pve only', async () => {
    expect(await tryConnect('10.10.10.12', 22)).toBe('unreachable')
    expect(await tryConnect('192.168.2.12', 22, 500)).toBe('silence')
    expect(await ssh('pg-replica', 'echo $SSH_CONNECTION')).toMatchObject({
      stdout: expect.stringMatching(/^10\.10\.10\.10 \d+ 10\.10\.10\.12 22$/),
    })
  })

  test('vm-proxy listens on port 2222 and nowhere else', async () => {
    expect(await tryConnect('192.168.2.13', 2222)).toBe('open')
    expect(await tryConnect('192.168.2.13', 22)).toBe('refused')
  })

  test('sudo on pg-primary wants the password, and only the right one', async () => {
    const { sudo } = await lab.secrets()
    expect(await ssh('pg-primary', 'sudo -n id -u')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/password is required/),
    })
    expect(await ssh('pg-primary', 'sudo -k -S id -u', 'wrong\n')).toMatchObject({ exitCode: 1, stdout: '' })
    expect(await ssh('pg-primary', 'sudo -k -S id -u', `${sudo}\n`)).toMatchObject({
      exitCode: 0,
      stdout: '0',
    })
  })

  test('ops on vm-app has sudo without password, and docker', async () => {
    expect(await ssh('vm-app', 'sudo -n id -u; id -nG')).toMatchObject({ stdout: '0\nops docker' })
  })
})

describe('faults', () => {
  test('poweroff silences a host in mid-sentence; poweron boots it from the same disk', async () => {
    await lab.sh('spare-1', 'echo kept >/root/note')
    const args = [
      '-F',
      lab.files.sshConfig,
      '-o',
      'ServerAliveInterval=1',
      '-o',
      'ServerAliveCountMax=2',
      'spare-1',
    ]
    const session = lab.controller('ssh', [...args, 'echo here; sleep 100'], { reject: false, buffer: false })
    await new Promise((resolve) => session.stdout.once('data', resolve))
    await lab.poweroff('spare-1')
    expect(await lab.sh('spare-1', 'true').catch(String)).toContain('spare-1 is off')
    expect(await tryConnect('192.168.2.31', 22, 1000)).toBe('silence')
    // The session ends by its own patience: had the host said goodbye, it would have ended at once and otherwise.
    const errors: string[] = []
    session.stderr.on('data', (chunk: Buffer) => errors.push(String(chunk)))
    expect((await session).exitCode).toBe(255)
    expect(errors.join('')).toMatch(/not responding/)
    await lab.poweron('spare-1')
    expect(await ssh('spare-1', 'cat /root/note')).toMatchObject({ stdout: 'kept' })
  })

  test('cut makes packets vanish, open connections too; mend lets them flow again', async () => {
    const session = lab.controller('ssh', ['-F', lab.files.sshConfig, 'spare-1', 'cat'], { buffer: false })
    const answer = () =>
      new Promise<string>((resolve) => session.stdout.once('data', (chunk: Buffer) => resolve(String(chunk))))
    session.stdin.write('before\n')
    expect(await answer()).toBe('before\n')
    await lab.cut('spare-1')
    session.stdin.write('across the cut\n')
    const across = answer()
    const [outside, inside] = await Promise.all([
      tryConnect('192.168.2.31', 22),
      lab.sh('pve', 'timeout 4 bash -c "exec 3<>/dev/tcp/10.10.10.31/22"', { nothrow: true }),
    ])
    expect(outside).toBe('silence')
    expect(inside).toMatchObject({ exitCode: 124 })
    expect((await lab.status()).find(({ name }) => name === 'spare-1')).toMatchObject({ cables: 'cut' })
    await lab.mend('spare-1')
    expect(await across).toBe('across the cut\n')
    expect(await tryConnect('192.168.2.31', 22)).toBe('open')
    session.stdin.end()
    await session
  })

  test('a host that reboots itself comes back, without the firewall rules it had', async () => {
    const { stdout: before } = await lab.sh('spare-1', 'nft add table inet wall; stat -c %Y /proc/1')
    await lab.sh('spare-1', 'systemctl reboot', { nothrow: true })
    await expect
      .poll(async () => (await ssh('spare-1', 'stat -c %Y /proc/1; nft list ruleset')).stdout, {
        timeout: 20_000,
      })
      .toMatch(/^\d+$/)
    expect((await lab.sh('spare-1', 'stat -c %Y /proc/1')).stdout).not.toBe(before)
  })

  test('a small disk runs full, and its files survive the way back', async () => {
    await lab.sh('spare-1', 'mkdir -p /srv/data && echo first >/srv/data/a')
    await lab.limitDisk('spare-1', '/srv/data', '8M')
    const filler = await lab.fillDisk('spare-1', '/srv/data', 64 * 1024)
    const { stderr } = await lab.sh('spare-1', 'head -c 1M /dev/zero >/srv/data/b', { nothrow: true })
    expect(stderr).toContain('No space left on device')
    await lab.sh('spare-1', `rm ${filler} /srv/data/b; echo second >>/srv/data/a`)
    await lab.unlimitDisk('spare-1', '/srv/data')
    expect(await lab.sh('spare-1', 'cat /srv/data/*; findmnt /srv/data', { nothrow: true })).toMatchObject({
      stdout: 'first\nsecond',
      exitCode: 1,
    })
  })

  test('a script that takes too long is ended, with all that it started', async () => {
    const late = lab.sh('pve', 'sleep 98765 & sleep 98765', { timeout: 300 })
    await expect(late).rejects.toThrow('script in pve: ran longer than 300 ms')
    expect(await lab.sh('pve', 'pgrep -f "[s]leep 98765"', { nothrow: true })).toMatchObject({ exitCode: 1 })
  })
})

describe('the world outside', () => {
  test('cannot be reached, neither from the workstation nor from a host', async () => {
    const started = Date.now()
    expect(await tryConnect('192.0.2.1', 80)).toBe('unreachable')
    const { stderr } = await lab.sh('pve', 'echo >/dev/tcp/192.0.2.1/80', { nothrow: true })
    expect(stderr).toContain('Network is unreachable')
    expect(Date.now() - started).toBeLessThan(10_000)
  })

  test('no cable leads out of the switch but to the hosts and the workstation, which has no default route', async () => {
    const links = JSON.parse((await execa('ip', ['-n', lab.place.switchNamespace, '-j', 'link'])).stdout)
    const cables = machines.flatMap(({ cables: to, octet }) => to.map((network) => `${network}-${octet}`))
    const names = z
      .array(z.object({ ifname: z.string() }))
      .parse(links)
      .map(({ ifname }) => ifname)
    expect(names.toSorted()).toEqual(['lo', 'sw-lan', 'sw-internal', 'lan-5', ...cables].toSorted())
    const { stdout } = await lab.controller('ip', ['route'])
    expect(stdout).toMatch(/^192\.168\.2\.0\/24 dev eth0 [^\n]*$/)
  })
})

describe('what the operator is given', () => {
  test('the inventory is one that tasks read, and its secrets are in the .env beside it', async () => {
    const estate = await loadEstate(lab.files.inventory, {})
    const named = secretRefs(JSON.parse(await readFile(lab.files.inventory, 'utf8')))
    expect(named.length).toBeGreaterThan(0)
    expect(estate.missingSecrets(named)).toEqual([])
  })

  test('nobody but root reads key and secrets', async () => {
    for (const path of [lab.files.key, lab.files.env, lab.files.secrets]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600)
    }
  })

  test('known_hosts names ports other than 22, and pg-replica by the network where it is', async () => {
    const names = (await readFile(lab.files.knownHosts, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0])
    expect(names).toContain('[192.168.2.13]:2222')
    expect(names).toContain('10.10.10.12')
    expect(names).toContain('192.168.2.10')
    expect(names).toHaveLength(machines.length)
  })
})
