import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'

import { execa } from 'execa'

import { joining, killGroup } from './cgroup.ts'
import type { Machine, Suite } from './machines.ts'
import { aptProxies, findMirror } from './mirror.ts'
import type { Place } from './place.ts'

/** Where the tree of each suite is. */
export type Trees = Partial<Record<Suite, string>>

/** What a suite's tree has beside what all of them have. */
type Recipe = {
  packages: readonly string[]
  /** Lines of shell that end the building; `$1` is the tree. */
  finish: string
  options: readonly string[]
}

/** Every host is an overlay on the tree of its suite. python3 is for Ansible's bench. */
const common = [
  'systemd-sysv dbus libpam-systemd openssh-server sudo cron procps less util-linux',
  'iproute2 iputils-ping nftables iptables ca-certificates curl python3',
]

/** PostgreSQL 17 is installed on trixie; on bookworm 15 is not, but apt has all that installing it takes. */
const recipes: Record<Suite, Recipe> = {
  trixie: {
    packages: [
      'postgresql pgbouncer redis-server docker.io docker-cli docker-compose',
      'podman uidmap passt netavark aardvark-dns dbus-user-session catatonit',
      'swift-proxy swift-account swift-container swift-object memcached age',
    ],
    finish: `chroot "$1" systemctl --quiet disable docker.service docker.socket containerd.service postgresql.service pgbouncer.service redis-server.service memcached.service 'swift-*'`,
    options: [],
  },
  bookworm: {
    packages: [],
    finish: `chroot "$1" apt-get clean
chroot "$1" apt-get -qq install --download-only -y postgresql pgbouncer`,
    options: ['--skip=cleanup/apt'],
  },
}

/**
 * Hosts start bare: what the packages switched on is off, tasks and tests switch on what they want.
 * Names, keys and resolvers are each host's own. `.updated` spares each first boot what is done after an upgrade.
 */
function finish(first: string): string {
  return `set -eu
${first}
chroot "$1" systemctl --quiet mask console-getty.service getty@tty1.service systemd-modules-load.service systemd-pstore.service sshd-keygen.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer
rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname"
: >"$1/etc/machine-id"
: >"$1/etc/resolv.conf"
mkdir -p "$1/var/lib/containers"
touch "$1/etc/.updated" "$1/var/.updated"`
}

function optionsOf(suite: Suite): string[] {
  const recipe = recipes[suite]
  const packages = [...common, ...recipe.packages].flatMap((line) => line.split(' '))
  return [
    '--quiet',
    '--variant=minbase',
    '--components=main',
    `--include=${packages.join(',')}`,
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    '--dpkgopt=force-unsafe-io',
    '--aptopt=Acquire::Languages "none"',
    `--customize-hook=${finish(recipe.finish)}`,
    ...recipe.options,
  ]
}

/** Built under another name and renamed last: a killed build leaves nothing that is taken for a tree. */
const build = `set -eu
umask 022
tree=$1 half=$2; shift 2
if [ -e "$tree" ]; then exit; fi
rm -rf --one-file-system "\${half%/*}"/half-*
mmdebstrap "$@"
mv "$half" "$tree"`

/** Changes whenever the tree would: packages, suite, options, the way it is built. */
function treePath(place: Place, suite: Suite): string {
  const text = JSON.stringify([suite, optionsOf(suite), build, process.arch])
  return join(place.cache, `tree-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
}

/** Trees that no lab went up on for a week, left by older versions of this file. */
async function removeOld(place: Place): Promise<void> {
  const week = 7 * 24 * 3600 * 1000
  for (const name of await readdir(place.cache)) {
    const path = join(place.cache, name)
    if (!name.startsWith('tree-')) continue
    const { mtimeMs } = await stat(path)
    if (Date.now() - mtimeMs > week) await rm(path, { recursive: true, force: true })
  }
}

/** The base tree of a suite, built when there is none. `group` is where the building processes can be found and ended. */
async function ensureTree(
  place: Place,
  suite: Suite,
  group: string,
  say: (line: string) => void,
): Promise<string> {
  const tree = treePath(place, suite)
  if (!existsSync(tree)) {
    const started = Date.now()
    say(`building the hosts' Debian ${suite} once, into ${tree}`)
    await mkdir(place.cache, { recursive: true })
    const mirror = await findMirror()
    const proxies = (await aptProxies()).map((line) => `--aptopt=${line}`)
    const half = join(place.cache, `half-${process.pid}`)
    const lock = ['flock', join(place.cache, 'lock'), 'unshare', '--mount', '--propagation', 'private']
    const options = [...optionsOf(suite), ...proxies]
    const script = ['bash', '-c', build, 'build', tree, half, ...options, suite, half, mirror]
    await mkdir(group, { recursive: true })
    try {
      await execa(...joining(group, [...lock, ...script]), { stdin: 'ignore' })
    } finally {
      await killGroup(group)
    }
    say(`built in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  }
  await utimes(tree, new Date(), new Date())
  return tree
}

/** The base trees of these suites. */
export async function ensureTrees(
  place: Place,
  wanted: ReadonlySet<Suite>,
  group: string,
  say: (line: string) => void,
): Promise<Trees> {
  const trees: Trees = {}
  for (const suite of wanted) trees[suite] = await ensureTree(place, suite, group, say)
  await removeOld(place)
  return trees
}

export function treeOf(trees: Trees, { name, suite }: Machine): string {
  const tree = trees[suite]
  if (tree === undefined) throw new Error(`${name} needs a tree of ${suite}, and there is none`)
  return tree
}

/** The tree whose nft sets the switch up, always the same: that of bookworm crashes on what trixie's has written. */
export function switchTree(trees: Trees): string {
  const [tree] = Object.values(trees)
  if (tree === undefined) throw new Error('a lab without machines has no tree')
  return tree
}
