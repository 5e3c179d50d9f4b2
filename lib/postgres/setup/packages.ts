import { errorBehind, HostError } from '../../host/errors.ts'
import { TaskError } from '../../task/errors.ts'
import type { DatabaseMachine } from '../debian.ts'

const drop = '/etc/postgresql-common/createcluster.d'

/** The package would make a server on whatever port is free, in the locale of whoever installs it. */
const noCluster = `# Written by hausmeister, which makes the servers of the inventory itself: with its port and locale,
# and without starting a second primary on a machine that is to be a standby.
create_main_cluster = false
`

/**
 * The major version that the distribution has.
 * @throws TaskError where apt knows none
 */
export async function distributionVersion({ name, host }: DatabaseMachine): Promise<number> {
  const candidate = await candidateOf(host, 'postgresql')
  const version = Number.parseInt(candidate ?? '', 10)
  if (Number.isNaN(version)) {
    throw new TaskError(`apt on ${name} knows no package postgresql`, {
      next: 'as root there: apt-get update; or set "version" of the cluster in the inventory',
    })
  }
  return version
}

/** Installs the server's package from what apt knows; finishes an installation that was cut off. */
export async function installServer({ name, host }: DatabaseMachine, version: number): Promise<void> {
  const wanted = `postgresql-${version}`
  const { stdout } = await host.read`
    if ! command -v apt-get > /dev/null; then echo none; exit; fi
    if [ -n "$(dpkg --audit)" ]; then echo broken; fi
    if [ -d ${drop} ]; then echo folder; fi`
  if (stdout.includes('none')) {
    throw new TaskError(`${name} has no apt-get: PostgreSQL is installed on Debian and Ubuntu only`)
  }
  if (stdout.includes('broken')) {
    await host.change({ uncancelled: true })`DEBIAN_FRONTEND=noninteractive dpkg --configure -a`
  }
  if ((await candidateOf(host, wanted)) === undefined) await updateLists({ name, host }, wanted)
  if (!stdout.includes('folder')) await host.change`mkdir -p -- ${drop}`
  await host.write(`${drop}/hausmeister.conf`, noCluster)
  try {
    await install(host, wanted)
  } catch (error) {
    // The lists are older than what the mirror has.
    if (errorBehind(error, HostError) || !/ 404 |--fix-missing/.test(String(error))) throw error
    await host.change`apt-get -q update`
    await install(host, wanted)
  }
}

type Host = DatabaseMachine['host']

/** An installation that is ended half-way leaves dpkg broken, so Ctrl-C waits for its end. */
async function install(host: Host, wanted: string): Promise<void> {
  await host.change({
    uncancelled: true,
    shown: { command: `apt-get install ${wanted}` },
  })`LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 --no-install-recommends install ${wanted}`
}

async function updateLists({ name, host }: { name: string; host: Host }, wanted: string): Promise<void> {
  const update = await host.change({ nothrow: true })`LC_ALL=C.UTF-8 apt-get -q update 2>&1`
  if ((await candidateOf(host, wanted)) !== undefined) return
  const warnings = update.stdout.split('\n').filter((line) => /^[EW]: /.test(line))
  throw new TaskError(`apt on ${name} knows no package ${wanted}`, {
    seen: warnings.length > 0 ? warnings.join('\n') : undefined,
    next: 'correct "version", or add the repository of PostgreSQL there: apt-get install postgresql-common, then /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh',
  })
}

async function candidateOf(host: Host, name: string): Promise<string | undefined> {
  const { stdout } = await host.read({ nothrow: true })`LC_ALL=C apt-cache policy ${name}`
  const [, candidate = '(none)'] = /^ +Candidate: (\S+)/m.exec(stdout) ?? []
  return candidate === '(none)' ? undefined : candidate
}

/** @throws TaskError when the package is not there whole */
export async function proveInstalled({ name, host }: DatabaseMachine, version: number): Promise<void> {
  const { stdout } = await host.read({
    nothrow: true,
  })`dpkg-query -W -f ${'${db:Status-Status}'} ${`postgresql-${version}`}`
  if (stdout !== 'installed') {
    throw new TaskError(
      `dpkg on ${name} says that postgresql-${version} is ${stdout || 'unknown'}, not installed`,
      {
        next: 'as root there: dpkg --audit',
      },
    )
  }
}
