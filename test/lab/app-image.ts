import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { execa } from 'execa'

import { joining, labGroup } from './cgroup.ts'
import { aptProxies, findMirror } from './mirror.ts'
import type { Place } from './place.ts'

/** The Prisma project that runs in the image, and lies beside the compose file on vm-app. */
export const appFolder = fileURLToPath(new URL('app', import.meta.url))

const suite = 'trixie'

/** Unpacked only, never configured: node, redis and pgbouncer run without their maintainers' scripts. */
const packages = ['base-files', 'coreutils', 'dash', 'libc-bin', 'nodejs', 'pgbouncer', 'redis-server']

/** perl comes with pgbouncer's helper scripts, gconv with libc; nothing here calls them. */
const unwanted = [
  '/usr/share/{bash-completion,doc,info,lintian,locale,man,perl,perl5,postgresql,zoneinfo}/*',
  '/usr/lib/*-linux-gnu/{gconv,perl,perl-base}/*',
  '/usr/lib/*-linux-gnu/libperl*',
  '/usr/lib/postgresql/*',
  '/usr/share/nodejs/corepack/*',
  '/usr/bin/perl*',
]

const options = [
  '--quiet',
  '--variant=extract',
  '--components=main',
  `--include=${packages.join(',')}`,
  ...unwanted.flatMap(spread).map((path) => `--dpkgopt=path-exclude=${path}`),
  '--aptopt=Acquire::Languages "none"',
]

/**
 * The modules lie above the app's folder, so that a `./src` mounted there does not hide them; node and npx look upwards.
 * `prisma generate` runs in the new root with no network: an attempt to download an engine would fail here.
 * What serves other databases, types and source maps are two thirds of the modules' size.
 * Named last, so that a killed build leaves nothing that is taken for an image.
 */
const build = `set -eu
image=$1 half=$2 app=$3 mirror=$4; shift 4
if [ -e "$image" ]; then exit; fi
rm -rf --one-file-system "\${half%/*}"/app-half-*
mkdir -p "$half"
root=$half/root
mmdebstrap "$@" ${suite} "$root" "$mirror"
: >"$root/etc/resolv.conf"; : >"$root/etc/hostname"
printf '%s\\n' root:x:0:0::/root:/bin/sh redis:x:6379:6379::/:/bin/sh pgbouncer:x:5432:5432::/:/bin/sh >"$root/etc/passwd"
printf '%s\\n' root:x:0: redis:x:6379: pgbouncer:x:5432: >"$root/etc/group"
mkdir -p "$root/usr/src/app"
cd "$root/usr/src"
cp "$app/package.json" "$app/package-lock.json" "$app/.npmrc" .
npm ci --ignore-scripts --omit=dev
rm package.json package-lock.json .npmrc
tar -C "$app" --exclude=./node_modules --exclude=./.env -c . | tar -C app -x
unshare --net chroot "$root" env -i -C /usr/src/app PATH=/usr/src/node_modules/.bin:/usr/bin HOME=/tmp \\
  CHECKPOINT_DISABLE=1 DATABASE_URL=postgresql://nowhere DIRECT_URL=postgresql://nowhere prisma generate
cd node_modules
rm -rf effect/src effect/dist/dts prisma/build/public prisma/prisma-client npm/docs npm/man
find . -type f '(' -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' ')' -delete
find @prisma/client/runtime prisma/build -type f -name 'query_*' ! -name 'query_compiler*postgresql*' -delete
tar -C "$root" --numeric-owner --exclude='./dev/*' --exclude='./tmp/*' --exclude='./tmp/.*' -cf "$half/image.tar" .
mv "$half/image.tar" "$image"
rm -rf --one-file-system "$half"`

/** `/a/{b,c}/*` is `/a/b/*` and `/a/c/*`: dpkg knows no braces. */
function spread(path: string): string[] {
  const [before = '', inside, after] = path.split(/[{}]/)
  return inside === undefined ? [path] : inside.split(',').map((word) => `${before}${word}${after}`)
}

/** Everything that the image is made of; the server's and the seed's code comes from the host's disk at run time. */
async function inputs(): Promise<string> {
  const files = [
    'package-lock.json',
    'prisma.config.ts',
    'environment.js',
    'prisma/adapter.js',
    'prisma/schema.prisma',
  ]
  const texts = await Promise.all(files.map((file) => readFile(join(appFolder, file), 'utf8')))
  return createHash('sha256')
    .update(JSON.stringify([suite, options, build, process.arch, texts]))
    .digest('hex')
    .slice(0, 16)
}

/** Images of older versions of the app, unused for a week. */
async function removeOld(place: Place, keep: string): Promise<void> {
  const week = 7 * 24 * 3600 * 1000
  for (const name of await readdir(place.cache)) {
    const path = join(place.cache, name)
    if (!/^app-\w+\.tar$/.test(name) || path === keep) continue
    const { mtimeMs } = await stat(path)
    if (Date.now() - mtimeMs > week) await rm(path, { force: true })
  }
}

/**
 * The image of the app's three containers as a file for `docker import`, built when there is none.
 * Needs apt's mirror and npm's registry, no image registry. `down` of the lab ends the build.
 */
export async function ensureAppImage(place: Place, say: (line: string) => void): Promise<string> {
  const image = join(place.cache, `app-${await inputs()}.tar`)
  if (!existsSync(image)) {
    const started = Date.now()
    say(`building the app's image once, into ${image}`)
    await mkdir(place.cache, { recursive: true })
    const [mirror, proxies] = await Promise.all([findMirror(), aptProxies()])
    const apt = [...options, ...proxies.map((line) => `--aptopt=${line}`)]
    const lock = ['flock', join(place.cache, 'app-lock'), 'unshare', '--mount', '--propagation', 'private']
    const half = join(place.cache, `app-half-${process.pid}`)
    const group = join(labGroup(place), 'build')
    await mkdir(group, { recursive: true })
    const script = ['bash', '-c', build, 'build', image, half, appFolder, mirror, ...apt]
    await execa(...joining(group, [...lock, ...script]), { stdin: 'ignore' })
    say(`built in ${((Date.now() - started) / 1000).toFixed(1)} s`)
    await removeOld(place, image)
  }
  await utimes(image, new Date(), new Date())
  return image
}
