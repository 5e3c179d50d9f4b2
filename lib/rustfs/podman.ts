import { labelsOf, publishingOf, settings } from './container.ts'
import { marked, sumOf } from './mark.ts'
import { dataOf, keyFileOf, type Server } from './server.ts'
import type { Stack } from './stack.ts'

/**
 * By a unit of the system's systemd that makes the container anew at each start. No quadlet: podman has them since 4.4,
 * and Debian 12 has 4.3.
 */
export function podmanUnit(server: Server): Stack {
  const { host, name } = server
  const unit = `${name}.service`
  const path = `/etc/systemd/system/${unit}`
  const print = sumOf(unitOf(server, ''))
  return {
    path,
    print,
    text: marked(unitOf(server, print)),
    start: async () =>
      void (await host.change`systemctl daemon-reload && systemctl --quiet enable ${unit} && systemctl restart ${unit}`),
    stop: async () => void (await host.change`systemctl --quiet disable --now ${unit}`),
    async restarts() {
      const { stdout } = await host.read({
        nothrow: true,
      })`systemctl show --property NRestarts --value ${unit}`
      return Number(stdout.trim()) || 0
    },
    async log() {
      // podman tells each of its own steps there, too.
      const { stdout } = await host.read({
        nothrow: true,
      })`journalctl --unit ${unit} --lines 60 --output cat 2>&1 | grep -vE '^[0-9-]{10} .* (container|image) ' | tail -n 15`
      return stdout
    },
    afterReboot: async () => undefined,
  }
}

/** As `podman generate systemd --new` has it. */
function unitOf(server: Server, print: string): string {
  const { name, image } = server
  const flags = [
    `--detach --rm --replace --name ${name} --pull=never`,
    '--cgroups=no-conmon --sdnotify=conmon --log-driver=journald --security-opt=no-new-privileges',
    `--env-file ${keyFileOf(server)}`,
    ...Object.entries(settings).map(([key, value]) => `--env ${key}=${value}`),
    ...Object.entries(labelsOf(server, print)).map(([key, value]) => `--label ${key}=${value}`),
    `--publish ${publishingOf(server)} --volume ${dataOf(server)}:/data`,
  ]
  return [
    '[Unit]',
    `Description=hausmeister: store of the backups of ${server.estate}`,
    'Wants=network-online.target',
    'After=network-online.target',
    'StartLimitIntervalSec=0',
    `RequiresMountsFor=${dataOf(server)} /var/lib/containers`,
    '',
    '[Service]',
    'Type=notify',
    'NotifyAccess=all',
    'Restart=always',
    'RestartSec=2',
    'TimeoutStopSec=70',
    `ExecStart=podman run ${flags.join(' ')} ${image}`,
    `ExecStop=podman stop --ignore --time 30 ${name}`,
    `ExecStopPost=podman rm --force --ignore --time 10 ${name}`,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n')
}
