import type { Estate } from '../../inventory/estate.ts'
import type { Reaching } from '../cluster.ts'
import { conninfoText } from './auto-conf.ts'
import type { ClusterTarget } from './cluster-target.ts'
import { writePassfile } from './following.ts'
import type { InstancePlace } from './instance-place.ts'

/** Seconds that a machine which boots waits for each of the others. */
const patience = 3

/**
 * Keeps an old primary from taking writes when it comes back: before its server starts, it asks the other
 * machines whether one of them is on a later timeline of the same cluster, and if so does not start. It starts
 * when nobody answers, or a power cut of the whole house would leave no primary.
 */
export async function installFence(
  reaching: Reaching,
  target: ClusterTarget,
  instance: InstancePlace,
): Promise<void> {
  const { host, unit, version } = instance
  const root = host.as('root')
  const script = `/usr/local/sbin/hausmeister-fence-${version}`
  const dropIn = `/etc/systemd/system/${unit}.service.d/hausmeister-fence.conf`
  await writePassfile(reaching, target, instance)
  await root.write(script, fenceScript(reaching.estate, target, instance), { mode: 0o755, owner: 'root' })
  const text = `[Service]\nExecStartPre=${script}\n`
  const folder = dropIn.slice(0, dropIn.lastIndexOf('/'))
  if ((await root.readFile(dropIn)) === text) return
  await root.change`mkdir -p -- ${folder}`
  await root.write(dropIn, text, { mode: 0o644, owner: 'root' })
  await root.change`systemctl daemon-reload`
}

/** For dash. The timeline is that of the newest WAL file: the control file learns of a promotion a checkpoint later. */
export function fenceScript(
  estate: Estate,
  { cluster, role }: ClusterTarget,
  instance: InstancePlace,
): string {
  const { host, data, bin, passfile } = instance
  const others = cluster.hosts.filter((name) => name !== host.name)
  const asked = others.map((name) => {
    const text = conninfoText({
      host: estate.addressBetween(host.name, name),
      port: cluster.port,
      user: role,
      passfile,
      connect_timeout: patience,
      replication: 'true',
    })
    return `ask ${name} ${shellWord(text)}`
  })
  return `#!/bin/sh
# Written by hausmeister (pg-replica). Does not let a primary start that was superseded by another one.
# A power cut leaves this file, and its number may be another process's now, which Debian would take for the server.
pid=$(head -n 1 ${data}/postmaster.pid 2>/dev/null)
if [ -e "/proc/$pid/exe" ]; then
  case $(readlink "/proc/$pid/exe") in ${bin}/postgres*) ;; *) rm -f ${data}/postmaster.pid ;; esac
fi
if [ -e ${data}/standby.signal ] || [ ! -e ${data}/PG_VERSION ]; then exit 0; fi
system=$(LC_ALL=C ${bin}/pg_controldata ${data} | sed -n 's/^Database system identifier: *//p')
newest=$(ls ${data}/pg_wal | grep -E '^[0-9A-F]{8}([0-9A-F]{16}|\\.history)$' | sort | tail -n 1 | cut -c 1-8)
own=$(printf '%d' "0x$newest")
ask() {
  answer=$(cd / && timeout ${patience * 2} runuser -u postgres -- psql -X -A -t -w -d "$2" -c IDENTIFY_SYSTEM 2>/dev/null) || return 0
  if [ "$(echo "$answer" | cut -d '|' -f 1)" != "$system" ]; then return 0; fi
  theirs=$(echo "$answer" | cut -d '|' -f 2)
  if [ "$theirs" -gt "$own" ]; then
    echo "$1 is on timeline $theirs and this machine on $own: it was superseded, and is not started as a primary" >&2
    exit 1
  fi
}
${asked.join('\n')}
exit 0
`
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
