import type { Lab } from './lab.ts'

const cluster = `set -eu
conf=/etc/postgresql/17/main
data=/var/lib/postgresql/17/main
configure() {
  rm -rf /etc/systemd/system/postgresql@17-main.service.d /usr/local/sbin/hausmeister-fence-17
  systemctl daemon-reload
  printf '%s\\n' "listen_addresses = '*'" 'wal_level = replica' 'wal_log_hints = on' 'wal_keep_size = 128MB' >$conf/conf.d/lab.conf
  grep -q '^# lab$' $conf/pg_hba.conf || {
    echo '# lab'
    for from in 10.10.10.0/24 192.168.2.0/24; do
      echo "host weltenwind,weltenwind_shadow ww_app $from scram-sha-256"
    done
    echo 'host replication replicator 10.10.10.0/24 scram-sha-256'
  } >>$conf/pg_hba.conf
}
`

/**
 * Passwords come on stdin: first the app's, then the replicator's. An unchanged server is only asked, not restarted.
 * It answers 2 s before Debian's pg_ctlcluster is content; {@link provisionPostgres} waits for that at its end.
 */
const primary = `${cluster}
read -r app; read -r replication
if [ -e $data/standby.signal ]; then
  systemctl stop postgresql@17-main
  rm $data/standby.signal
fi
rm -f $data.pgpass $data/hausmeister.promotion
sed -i '/^primary_/d' $data/postgresql.auto.conf
before=$(md5sum $conf/conf.d/lab.conf $conf/pg_hba.conf 2>/dev/null || true)
configure
if [ "$before" != "$(md5sum $conf/conf.d/lab.conf $conf/pg_hba.conf)" ]; then systemctl stop postgresql@17-main; fi
systemctl --quiet enable postgresql
systemctl start --no-block postgresql@17-main
until pg_isready -q; do sleep 0.05; done
cd / && runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1 <<SQL
select 'create role ww_app' where not exists (select from pg_roles where rolname = 'ww_app') \\gexec
select 'create role replicator' where not exists (select from pg_roles where rolname = 'replicator') \\gexec
alter role ww_app login createdb password '$app';
alter role replicator login replication password '$replication';
select format('create database %I owner ww_app', name) from unnest(array['weltenwind', 'weltenwind_shadow']) as name
  where not exists (select from pg_database where datname = name) \\gexec
SQL`

/** The password of the replicator comes on stdin and rests in the postgres user's .pgpass, as on a real standby. */
const standby = `${cluster}
read -r replication
cd /
streams() { [ "$(runuser -u postgres -- psql -X -At -c 'select status, slot_name from pg_stat_wal_receiver' 2>/dev/null)" = 'streaming|' ]; }
if streams; then exit; fi
systemctl stop postgresql@17-main
configure
umask 077
echo "*:*:*:replicator:$replication" >/var/lib/postgresql/.pgpass
chown postgres:postgres /var/lib/postgresql/.pgpass
rm -rf $data $data.*
runuser -u postgres -- pg_basebackup -h pg-primary -U replicator -D $data -c fast -X stream -R
systemctl --quiet enable postgresql
systemctl start postgresql@17-main
for try in $(seq 200); do
  if streams; then exit; fi
  sleep 0.05
done
tail -n 5 /var/log/postgresql/postgresql-17-main.log >&2
exit 1`

/** A standby that a test has built may have left its slot, which would keep WAL for nobody. */
const idleSlots = `cd /; runuser -u postgres -- psql -X -q -At -o /dev/null -c \
  'select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active'`

/** Where the roles were changed about, no two machines may take writes while they are changed back. */
const stopLeader = `cd /
if [ "$(runuser -u postgres -- psql -X -At -c 'select pg_is_in_recovery()' 2>/dev/null)" = f ]; then systemctl stop postgresql@17-main; fi`

/**
 * PostgreSQL as seed 000 has it: on pg-primary the databases weltenwind and weltenwind_shadow, owned by ww_app, who
 * may come from both networks; on pg-replica, when it is up, a streaming standby. Running it again changes nothing.
 * What a test left in the databases stays; a promoted standby is made a standby again.
 */
export async function provisionPostgres(lab: Lab): Promise<void> {
  const { app, replication } = await lab.secrets()
  const up = (await lab.record())?.machines ?? []
  if (up.includes('pg-replica')) await lab.sh('pg-replica', stopLeader)
  await lab.sh('pg-primary', primary, { input: `${app}\n${replication}\n` })
  if (up.includes('pg-replica')) await lab.sh('pg-replica', standby, { input: `${replication}\n` })
  await lab.sh('pg-primary', `systemctl start postgresql@17-main\n${idleSlots}`)
}

/** SQL as postgres on a machine; unaligned, tuples only. */
export async function psqlOn(
  lab: Lab,
  host: string,
  statement: string,
  database = 'postgres',
): Promise<string> {
  const { stdout } = await lab.sh(
    host,
    `cd /; runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 -d ${database}`,
    { input: statement },
  )
  return stdout
}
