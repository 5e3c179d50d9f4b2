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
}

/**
 * An app on vm-app that commits row after row over one connection, and connects anew, to whichever server takes
 * writes, as soon as it is cut off. Its rows bear the time at which they were written; all machines of the lab
 * have the same clock.
 */
export class Writer {
  readonly #lab: Lab

  private constructor(lab: Lab) {
    this.#lab = lab
  }

  /** @param hosts of the cluster */
  static async start(lab: Lab, leader: string, hosts: readonly string[] = servers): Promise<Writer> {
    await psql(
      lab,
      leader,
      `drop table if exists lab_writer;
      create table lab_writer (id uuid primary key, at timestamptz not null default clock_timestamp());
      alter table lab_writer owner to ww_app;`,
      'weltenwind',
    )
    const { app } = await lab.secrets()
    const addresses = hosts.map((host) => addressOf(machineNamed(host), 'internal'))
    await lab.sh('vm-app', start, { input: `${app}\n${addresses.join(',')}\n` })
    const writer = new Writer(lab)
    await writer.more(20)
    return writer
  }

  /** Waits until it has committed so many more rows. */
  async more(rows: number): Promise<void> {
    await this.#lab.sh(
      'vm-app',
      `count() { wc -l < /run/lab-writer/told; }; from=$(count)
      for try in $(seq 1000); do if [ "$(count)" -ge $((from + ${rows})) ]; then exit; fi; sleep 0.05; done
      tail -n 3 /run/lab-writer/complaints >&2; exit 1`,
    )
  }

  /** What it was told stays, its password does not. */
  async stop(): Promise<void> {
    await this.#lab.sh('vm-app', 'systemctl stop lab-writer 2>/dev/null || true; rm -f /run/lab-writer/pass')
  }

  /** Compares what the writer was told with what is on a server. */
  async compare(leader: string): Promise<Written> {
    const { stdout: told } = await this.#lab.sh('vm-app', 'cat /run/lab-writer/told')
    const ids = told.split('\n').filter((line) => /^[0-9a-f-]{36}$/.test(line))
    const values =
      ids.length === 0 ? '' : `insert into told values ${ids.map((id) => `('${id}')`).join(',')};`
    const text = await psql(
      this.#lab,
      leader,
      `create temp table told (id uuid); ${values}
      select json_build_object(
        'lost', (select count(*) from told where not exists (select from lab_writer w where w.id = told.id)),
        'perSecond', (select count(*) / extract(epoch from max(at) - min(at)) from lab_writer),
        'longestGap', (select max(extract(epoch from gap)) * 1000 from (select at - lag(at) over (order by at) as gap from lab_writer) g))`,
      'weltenwind',
    )
    return { commits: ids.length, ...JSON.parse(text) }
  }
}

/** One connection is one psql; whatever ends it, the loop makes the next one. */
const start = `set -eu
read -r password; read -r addresses
systemctl stop lab-writer 2>/dev/null || true
rm -rf /run/lab-writer; mkdir /run/lab-writer
umask 077
printf '*:*:*:ww_app:%s\\n' "$password" > /run/lab-writer/pass
echo "hosts=$addresses" > /run/lab-writer/loop
cat >> /run/lab-writer/loop <<'LOOP'
conn="host=$hosts port=5432 user=ww_app dbname=weltenwind passfile=/run/lab-writer/pass
  target_session_attrs=read-write connect_timeout=2 tcp_user_timeout=2000 application_name=writer"
while :; do
  yes 'insert into lab_writer values (gen_random_uuid()) returning id;' | psql -X -q -At "$conn" >> told 2>> complaints || true
  sleep 0.02
done
LOOP
touch /run/lab-writer/told
systemd-run -q --unit lab-writer --working-directory /run/lab-writer bash /run/lab-writer/loop`
