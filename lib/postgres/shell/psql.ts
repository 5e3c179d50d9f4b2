import type { Program } from '../../host/dialogue.ts'
import type { Host } from '../../host/host.ts'
import { quote } from '../../host/quote.ts'
import { TaskError } from '../../task/errors.ts'
import type { Reaching } from '../cluster.ts'
import { containerServer } from '../container-server.ts'
import { connectionString } from '../psql-server.ts'
import type { ShellTarget } from './target.ts'

/** By which command a server's psql is opened, and where. */
export interface Psql {
  host: Host
  /** As the dry run and the journal show it. */
  command: string
  program: Program
}

/** Two keys leave a container's terminal, and one of the usual ones is readline's for the line before: nobody types these. */
const leave = '--detach-keys=ctrl-@,ctrl-@'

/**
 * On a machine of ours as the user postgres over its socket; inside of a container; for a managed server on the machine
 * that reaches it.
 * @param primary the machine that is the primary, where there are machines
 * @throws TaskError when the machine has no psql
 */
export async function psqlOf(
  { estate, hosts }: Reaching,
  { cluster: name, database }: ShellTarget,
  primary: string,
  { prompt, term }: { prompt: string; term: string },
): Promise<Psql> {
  const cluster = estate.cluster(name)
  if ('hosts' in cluster) {
    const host = (await hosts.get(primary)).as('postgres')
    const words = ['psql', '-p', String(cluster.port), '-d', connectionString(database ?? 'postgres')]
    return {
      host,
      command: words.join(' '),
      program: { script: psqlScript(words, prompt), secrets: {}, term },
    }
  }
  if ('container' in cluster) {
    const { server, container } = await containerServer(hosts, cluster.container)
    const settings = [`TERM=${term}`, 'LC_ALL=C.UTF-8', 'PGAPPNAME=hausmeister-shell']
    const inside = [
      container.runtime,
      'exec',
      '-it',
      leave,
      ...settings.flatMap((setting) => ['-e', setting]),
      container.name,
    ]
    const psql = ['psql', ...server.opening.flags, '-d', connectionString(database ?? server.maintenance)]
    const prompts = ['PROMPT1', 'PROMPT2'].flatMap((variable) => ['-v', `${variable}=${prompt}`])
    return {
      host: container.host,
      command: [...inside, ...psql].join(' '),
      program: { script: `exec ${[...inside, ...psql, ...prompts].map(quote).join(' ')}`, secrets: {}, term },
    }
  }
  const host = await hosts.get(cluster.via ?? primary)
  const { exitCode } = await host.read({ nothrow: true })`command -v psql`
  if (exitCode !== 0) {
    throw new TaskError(`there is no psql on ${host.name}, from where ${name} is reached`, {
      next: 'as root there: apt-get install postgresql-client',
    })
  }
  const url = new URL(estate.secret(cluster.url))
  const secrets = { PGPASSWORD: decodeURIComponent(url.password) }
  url.password = ''
  if (database !== undefined) url.pathname = `/${encodeURIComponent(database)}`
  const words = ['psql', url.href]
  return { host, command: words.join(' '), program: { script: psqlScript(words, prompt), secrets, term } }
}

/**
 * psql for somebody who types. The psqlrc of the account is read first: its settings hold (it may have set AUTOCOMMIT
 * off), and the prompt is ours all the same.
 */
function psqlScript(words: string[], prompt: string): string {
  const settings = ['PROMPT1', 'PROMPT2'].map((name) => `\\set ${name} '${prompt}'`).join('\n')
  return [
    // runuser leaves it as it was, and psql would look for its history there.
    'unset HOME',
    'export HOME=~ PGAPPNAME=hausmeister-shell',
    'cd',
    // Or readline would take letters apart.
    '[ "$(locale charmap)" = UTF-8 ] || export LC_ALL=C.UTF-8',
    `PSQLRC=<(cat ~/.psqlrc 2> /dev/null; echo ${quote(settings)}) exec ${words.map(quote).join(' ')}`,
  ].join('; ')
}
