import type { Reaching } from '../cluster.ts'
import { conninfoText } from './auto-conf.ts'
import type { ClusterTarget } from './cluster-target.ts'
import type { InstancePlace } from './instance-place.ts'

/** Asks the server at the end of a conninfo, from the standby and as it will log in. */
export async function askAs(
  { estate }: Reaching,
  target: ClusterTarget,
  { host }: InstancePlace,
  primary: string,
  database: { dbname: string } | { replication: string },
  statement: string,
): Promise<{ answer: string } | { problem: string }> {
  const address = estate.addressBetween(host.name, primary)
  const text = conninfoText({
    host: address,
    port: target.cluster.port,
    user: target.role,
    connect_timeout: 10,
    ...database,
  })
  const output = await host.as('postgres').read({
    input: `${target.password()}\n`,
    nothrow: true,
  })`cd /; read -r PGPASSWORD; export PGPASSWORD; psql -X -A -t -w -d ${text} -c ${statement}`
  if (output.exitCode === 0) return { answer: output.stdout.trim() }
  return { problem: output.stderr.trim().replace(/^psql: (error: )?/, '') }
}

/**
 * Why a standby could not stream from there.
 * @param system identifier of the cluster that must be found there
 */
export async function loginProblem(
  reaching: Reaching,
  target: ClusterTarget,
  instance: InstancePlace,
  primary: string,
  system: string,
): Promise<string | undefined> {
  const { name } = instance.host
  const login = await askAs(reaching, target, instance, primary, { replication: 'true' }, 'IDENTIFY_SYSTEM')
  if ('problem' in login) {
    return (
      `${target.role} cannot log in on ${primary} from ${name}: ${login.problem}\n` +
      '  next: npx tsx tasks/pg-setup.ts   # writes the role, its password and its line in pg_hba.conf'
    )
  }
  if (login.answer.startsWith(`${system}|`)) return undefined
  return `what ${name} reaches as ${primary} is another server: IDENTIFY_SYSTEM says ${login.answer}`
}
