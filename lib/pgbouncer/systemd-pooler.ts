import type { Host } from '../host/host.ts'
import type { SystemdPooler as Entry } from '../inventory/inventory.ts'
import { folder } from './ini.ts'
import { type Pooler, versionIn } from './pooler.ts'

const unit = 'pgbouncer.service'

/** pgbouncer as Debian and Ubuntu package it: a service that runs as the user postgres. */
export function systemdPooler(entry: Entry, login: Host): Pooler {
  const host = login.as('root')
  return {
    name: `pgbouncer on ${entry.host}`,
    entry,
    hostName: entry.host,
    files: host,
    control: host,
    directory: folder,
    async version() {
      const { stdout } = await host.read({ nothrow: true })`pgbouncer --version`
      return versionIn(stdout)
    },
    async install() {
      await host.change`DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends pgbouncer`
    },
    async isRunning() {
      const { exitCode } = await host.read({ nothrow: true })`systemctl is-active --quiet ${unit}`
      return exitCode === 0
    },
    async isEnabled() {
      const { exitCode } = await host.read({ nothrow: true })`systemctl is-enabled --quiet ${unit}`
      return exitCode === 0
    },
    async start() {
      await host.change`systemctl enable --now --quiet ${unit}`
    },
    async portTakenBy() {
      const { stdout } = await host.read`ss -Hltnp ${`sport = :${entry.port}`}`
      const others = [...stdout.matchAll(/\("([^"]*)",pid=(\d+)/g)].filter(([, name]) => name !== 'pgbouncer')
      const [first] = others
      return first ? `${first[1]} (pid ${first[2]})` : undefined
    },
    async restart() {
      await host.change`systemctl restart ${unit}`
    },
    signal: async () => ['systemctl', 'kill', '--kill-whom=main', unit, '-s'],
    async log(since) {
      const { stdout } = await host.read`journalctl --no-pager -q -o cat -u ${unit} --since ${`@${since}`}`
      return stdout
    },
    async listens() {
      const { stdout } = await host.read`ss -Hltnp`
      const own = stdout.split('\n').filter((line) => line.includes('("pgbouncer",'))
      const all = own.flatMap((line) => {
        const [, address, port] = /^\S+\s+\S+\s+\S+\s+(\S+):(\d+)\s/.exec(line) ?? []
        return address === undefined
          ? []
          : [{ address: address.replaceAll(/[[\]]/g, ''), port: Number(port) }]
      })
      const local = { address: '127.0.0.1', port: entry.port }
      const [first] = all
      if (!first) return local
      const isEverywhere = all.some(({ address }) => ['127.0.0.1', '0.0.0.0', '*'].includes(address))
      return isEverywhere ? { ...local, port: first.port } : first
    },
    async owner() {
      const { stdout } = await host.read`echo "$(id -u postgres):$(id -g postgres)"`
      return stdout.trim()
    },
  }
}
