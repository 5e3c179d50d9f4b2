import * as z from 'zod'

import type { Host } from '../../host/host.ts'
import { type Control, parseControl } from './control.ts'
import { type InstancePlace, instanceOn } from './instance-place.ts'
import { Lsn } from './lsn.ts'
import type { Platform } from './platform.ts'

/** A promotion that was ordered while the old primary was silent, as noted in the data directory. */
export const Promotion = z.object({ from: z.string(), timeline: z.number(), at: z.string(), lsn: Lsn })
export type Promotion = z.infer<typeof Promotion>

/** What a machine says about its cluster without the server's help. */
export interface InstanceFacts {
  /** Major versions that have a cluster `main` here. */
  versions: number[]
  /** As systemd says: active, inactive, failed, activating … */
  state: string
  startsAtBoot: boolean
  data: 'none' | 'there' | 'not PostgreSQL'
  standbySignal: boolean
  /** A base backup or a rewind was cut off and left its folder. */
  left: ('building' | 'rewinding')[]
  promotion: Promotion | undefined
  control: Control | undefined
  freeBytes: number
  /** By how much its clock is ahead of ours. Milliseconds. */
  clock: number
  platform: Platform
}

/**
 * @param wanted major version; without one, the newest that is there
 * @returns undefined as the instance when there is no cluster of that version
 */
export async function readInstance(
  host: Host,
  wanted: number | undefined,
): Promise<{ instance: InstancePlace | undefined; facts: InstanceFacts }> {
  const { stdout } = await host.as('root').read`
    versions=
    for conf in /etc/postgresql/*/main/postgresql.conf; do
      if [ -e "$conf" ]; then versions="$versions $(cut -d/ -f4 <<< "$conf")"; fi
    done
    echo "versions=$versions"
    v=${String(wanted ?? '')}
    if [ -z "$v" ]; then v=$(printf '%s\n' $versions | sort -n | tail -n 1); fi
    data=/var/lib/postgresql/$v/main
    echo "version=$v"
    echo "state=$(systemctl is-active "postgresql@$v-main" || true)"
    echo "boot=$(systemctl is-enabled "postgresql@$v-main" 2>/dev/null || true) $(systemctl is-enabled postgresql 2>/dev/null || true)"
    if [ -f "$data/PG_VERSION" ]; then echo data=there
    elif [ -n "$(ls -A "$data" 2>/dev/null || true)" ]; then echo 'data=not PostgreSQL'; fi
    if [ -e "$data/standby.signal" ]; then echo signal=yes; fi
    for left in building rewinding; do if [ -e "$data.$left" ]; then echo "left=$left"; fi; done
    if [ -e "$data/hausmeister.promotion" ]; then echo "promotion=$(cat "$data/hausmeister.promotion")"; fi
    for place in /var/lib /var/lib/postgresql "/var/lib/postgresql/$v" "$data"; do
      if [ -d "$place" ]; then echo "free=$(df -B1 --output=avail "$place" | tail -n 1)"; fi
    done
    echo "architecture=$(uname -m)"
    echo "libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)"
    echo "icu=$(ldd "/usr/lib/postgresql/$v/bin/postgres" 2>/dev/null | grep -oE 'libicui18n[.]so[.][0-9]+' | head -n 1 | cut -d . -f 3)"
    echo locales=$(locale -a 2>/dev/null || true)
    echo "now=$(date +%s%3N)"
    if [ -f "$data/PG_VERSION" ]; then LC_ALL=C "/usr/lib/postgresql/$v/bin/pg_controldata" "$data" | sed 's/^/control=/'; fi`
  const now = Date.now()
  const lines = stdout.split('\n').map((line) => ({ key: cut(line)[0], value: cut(line)[1] }))
  const all = (key: string): string[] =>
    lines.flatMap((line) => (line.key === key ? [line.value.trim()] : []))
  const last = (key: string): string => all(key).at(-1) ?? ''
  const versions = last('versions').split(' ').filter(Boolean).map(Number)
  const control = all('control')
  const version = Number(last('version'))
  const facts: InstanceFacts = {
    versions,
    state: last('state'),
    startsAtBoot: /^enabled(-runtime)? enabled$/.test(last('boot')),
    data: z.enum(['none', 'there', 'not PostgreSQL']).parse(last('data') || 'none'),
    standbySignal: last('signal') === 'yes',
    left: z.array(z.enum(['building', 'rewinding'])).parse(all('left')),
    promotion: last('promotion') === '' ? undefined : Promotion.parse(JSON.parse(last('promotion'))),
    control: control.length > 0 ? parseControl(control.join('\n')) : undefined,
    freeBytes: Number(last('free')),
    clock: Number(last('now')) - now,
    platform: {
      architecture: last('architecture'),
      libc: last('libc'),
      icu: last('icu'),
      locales: last('locales').split(' ').filter(Boolean),
    },
  }
  return { instance: versions.includes(version) ? instanceOn(host, version) : undefined, facts }
}

function cut(line: string): [string, string] {
  const at = line.indexOf('=')
  return [line.slice(0, at), line.slice(at + 1)]
}
