import type { Lab } from './lab.ts'
import { addressOf, machineNamed } from './machines.ts'
import { psql, servers } from './replication.ts'

/** What a writer has seen and what is there. */
export interface Written {
  /** Commits that the writer was told of. */
  commits: number
  perSecond: number
  /** Of these, how many are not in the database. */
  lost: number
  /** Longest time between two commits that follow each other. Milliseconds. */
  longestGap: number
  /** What it was told in place of a commit, line by line. */
  errors: string[]
}

/** Straight to whichever server takes writes, or to the app's pgbouncer. */
type Way = 'direct' | 'pooled'

/**
 * An app on vm-app that commits row after row over one connection, and connects anew as soon as it is cut off. Its
 * rows bear the time at which they were written; all machines of the lab have the same clock.
 */
export class Writer {
  readonly #lab: Lab
  readonly #name: string

  private constructor(lab: Lab, way: Way) {
    this.#lab = lab
    this.#name = nameOf(way)
  }

  /** @param hosts of the cluster, for the direct way */
  static async start(
    lab: Lab,
    leader: string,
    { way = 'direct', hosts = servers }: { way?: Way; hosts?: readonly string[] } = {},
  ): Promise<Writer> {
    const writer = new Writer(lab, way)
    const table = writer.#name
    await psql(
      lab,
      leader,
      `drop table if exists ${table};
      create table ${table} (id uuid primary key, at timestamptz not null default clock_timestamp());
      alter table ${table} owner to ww_app;`,
      'weltenwind',
    )
    const { app } = await lab.secrets()
    await lab.sh('vm-app', startScript(way, hosts), { input: `${app}\n` })
    await writer.more(20)
    return writer
  }

  /** Takes their tables away. */
  static async clear(lab: Lab, leader: string): Promise<void> {
    await psql(lab, leader, 'drop table if exists lab_direct, lab_pooled', 'weltenwind')
  }

  /** Waits until it has committed so many more rows. */
  async more(rows: number): Promise<void> {
    await this.#lab.sh(
      'vm-app',
      `cd /run/${this.#name}; count() { wc -l < told; }; from=$(count)
      for try in $(seq 1000); do if [ "$(count)" -ge $((from + ${rows})) ]; then exit; fi; sleep 0.05; done
      tail -n 3 complaints >&2; exit 1`,
    )
  }

  /** What it was told stays, its password does not. */
  async stop(): Promise<void> {
    const name = this.#name
    await this.#lab.sh('vm-app', `systemctl stop ${name} 2>/dev/null || true; rm -f /run/${name}/pass`)
  }

  /** Compares what the writer was told with what is on a server. */
  async compare(leader: string): Promise<Written> {
    const folder = `/run/${this.#name}`
    const { stdout: told } = await this.#lab.sh('vm-app', `cat ${folder}/told`)
    const { stdout: complaints } = await this.#lab.sh('vm-app', `cat ${folder}/complaints`)
    const ids = told.split('\n').filter((line) => /^[0-9a-f-]{36}$/.test(line))
    const values =
      ids.length === 0 ? '' : `insert into told values ${ids.map((id) => `('${id}')`).join(',')};`
    const text = await psql(
      this.#lab,
      leader,
      `create temp table told (id uuid); ${values}
      select json_build_object(
        'lost', (select count(*) from told where not exists (select from ${this.#name} w where w.id = told.id)),
        'perSecond', (select count(*) / extract(epoch from max(at) - min(at)) from ${this.#name}),
        'longestGap', (select max(extract(epoch from gap)) * 1000 from (select at - lag(at) over (order by at) as gap from ${this.#name}) g))`,
      'weltenwind',
    )
    const errors = complaints.split('\n').filter((line) => line.trim() !== '')
    return { commits: ids.length, ...JSON.parse(text), errors }
  }
}

function nameOf(way: Way): string {
  return `lab_${way}`
}

function connectionOf(way: Way, hosts: readonly string[]): string {
  if (way === 'pooled') {
    return `host=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' weltenwind-pgbouncer) port=6432`
  }
  const addresses = hosts.map((host) => addressOf(machineNamed(host), 'internal'))
  return `host=${addresses.join(',')} port=5432 target_session_attrs=read-write connect_timeout=2 tcp_user_timeout=2000`
}

/** One connection is one psql; whatever ends it, the loop makes the next one. */
function startScript(way: Way, hosts: readonly string[]): string {
  const name = nameOf(way)
  return `set -eu
read -r password
systemctl stop ${name} 2>/dev/null || true
rm -rf /run/${name}; mkdir /run/${name}
umask 077
printf '*:*:*:ww_app:%s\\n' "$password" > /run/${name}/pass
cat > /run/${name}/loop <<LOOP
conn="${connectionOf(way, hosts)} user=ww_app dbname=weltenwind passfile=/run/${name}/pass application_name=writer"
while :; do
  yes 'insert into ${name} values (gen_random_uuid()) returning id;' | psql -X -q -At "\\$conn" >> told 2>> complaints || true
  sleep 0.02
done
LOOP
touch /run/${name}/told /run/${name}/complaints
systemd-run -q --unit ${name} --working-directory /run/${name} bash /run/${name}/loop`
}
