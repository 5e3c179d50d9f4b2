import { ensureAppImage } from './app-image.ts'
import type { Lab } from './lab.ts'
import { placeOf } from './place.ts'

/** Here the user `ops` has podman without being root, and docker by its group. */
export const host = 'vm-app'

/** Passwords of the three databases: made for each run, as they stand in files on the machine. */
export interface BoxSecrets {
  production: string
  development: string
  compose: string
}

/**
 * PostgreSQL in containers as seed 002 has it: production and development, each with an app, under rootless podman, and
 * the same once more by docker compose. Only the development app and its server have units that make them anew.
 */
export async function placeBoxes(lab: Lab, secrets: BoxSecrets, say: (line: string) => void): Promise<void> {
  const app = await ensureAppImage(placeOf(lab.name), say)
  await lab.sh(host, prepare)
  await asOps(lab, loadImages, app)
  const { production, development, compose } = secrets
  await lab.sh(host, files, { input: [production, development, compose, ''].join('\n') })
  await asOps(lab, startBoxes)
  await lab.sh(
    host,
    `cd /srv/box; docker compose down --volumes --timeout 1; docker compose up -d --wait --quiet-pull; ${untilUp('docker compose exec -T db', 'rezepte')}`,
  )
}

/** Leaves nothing of them on the machine. */
export async function removeBoxes(lab: Lab): Promise<void> {
  await lab.sh(host, remove)
}

/** A script of the user, with a session of its own, as an operator has it. */
export async function asOps(lab: Lab, script: string, inputFile?: string): Promise<string> {
  const command = ['-F', lab.files.sshConfig, host, `bash -c ${quoted(script)}`]
  const { stdout } = await lab.controller('ssh', command, inputFile ? { inputFile } : { stdin: 'ignore' })
  return typeof stdout === 'string' ? stdout : ''
}

/** By TCP: while the image fills its volume, its server has a socket only. */
function untilUp(inside: string, database: string): string {
  return `for try in $(seq 300); do if ${inside} psql -h 127.0.0.1 -U rezepte -d ${database} -c '' 2> /dev/null; then break; fi; sleep 0.2; done; [ $try -lt 300 ]`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/**
 * The image of PostgreSQL is made of the machine's own files: its server, a shell and what both need. Its entrypoint
 * does what that of the official image does with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.
 */
const prepare = `set -eu
echo ops:100000:65536 | tee /etc/subuid > /etc/subgid
chmod 666 /dev/net/tun
printf '%s\\n' '[storage]' 'driver = "overlay"' 'runroot = "/run/containers/storage"' \\
  'graphroot = "/var/lib/containers/storage"' 'rootless_storage_path = "/var/lib/containers/ops"' > /etc/containers/storage.conf
install -d -o ops -g ops /var/lib/containers/ops
mkdir -p /var/lib/systemd/linger
touch /var/lib/systemd/linger/ops
systemctl start user@1000
systemctl --quiet enable --now docker
tar=/var/lib/containers/postgres.tar
if [ -e $tar ]; then exit; fi
root=/var/lib/containers/postgres; rm -rf $root; mkdir -p $root/usr/local/bin
bin=/usr/lib/postgresql/17/bin
cd /
programs="$(printf ' %s' $bin/{postgres,initdb,pg_ctl,psql,pg_dump,pg_dumpall,pg_restore} /usr/bin/{dash,cat,head,sleep,df,mkdir,chown,env,id,setpriv,locale})"
modules=$(ls /usr/lib/postgresql/17/lib/*.so | grep -v llvm)
libraries=$(ldd $programs $modules 2> /dev/null | grep -o '/[^ ]*\\.so[^ ]*' | sort -u)
tar -c --dereference --hard-dereference $programs $modules $libraries /usr/share/postgresql/17 /usr/share/zoneinfo /usr/lib/locale 2> /dev/null | tar -x -C $root
cd $root
mkdir -p etc tmp dev proc sys run var/run/postgresql var/lib/postgresql
chmod 1777 tmp
ln -s usr/bin bin
ln -s dash usr/bin/sh
printf '%s\\n' root:x:0:0::/root:/bin/sh postgres:x:999:999::/var/lib/postgresql:/bin/sh > etc/passwd
printf '%s\\n' root:x:0: postgres:x:999: > etc/group
cat > usr/local/bin/docker-entrypoint.sh <<'SH'
#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown postgres "$PGDATA" /var/run/postgresql
  exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
user=\${POSTGRES_USER:-postgres}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\\n' "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U "$user" --pwfile=/tmp/password --no-sync > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start > /dev/null
  psql -U "$user" -d postgres -q -c "create database \\"$POSTGRES_DB\\""
  pg_ctl -D "$PGDATA" -m fast -w stop > /dev/null
fi
exec postgres -c 'listen_addresses=*' "$@"
SH
chmod 755 usr/local/bin/docker-entrypoint.sh
tar --numeric-owner -cf $tar.new . && mv $tar.new $tar
rm -rf $root`

const changes = [
  'ENV PATH=/usr/local/bin:/usr/lib/postgresql/17/bin:/usr/bin',
  'ENV PGDATA=/var/lib/postgresql/data',
  'ENTRYPOINT ["docker-entrypoint.sh"]',
  'STOPSIGNAL SIGINT',
]
  .map((change) => `--change '${change}'`)
  .join(' ')

const appChanges = ['ENV PATH=/usr/src/node_modules/.bin:/usr/sbin:/usr/bin', 'WORKDIR /usr/src/app']
  .map((change) => `--change '${change}'`)
  .join(' ')

/** The app's image comes on stdin. */
const loadImages = `set -eu
podman system migrate
podman image exists localhost/rezept:lab || podman import --quiet ${appChanges} - localhost/rezept:lab > /dev/null
podman image exists localhost/postgres:lab || podman import --quiet ${changes} /var/lib/containers/postgres.tar localhost/postgres:lab > /dev/null
docker image inspect postgres:lab > /dev/null 2>&1 || docker import ${changes} /var/lib/containers/postgres.tar postgres:lab > /dev/null
docker image inspect rezept:lab > /dev/null 2>&1 || podman save --quiet localhost/rezept:lab | docker load --quiet > /dev/null
docker image inspect rezept:lab > /dev/null 2>&1 || docker tag localhost/rezept:lab rezept:lab`

/** Says 200 while its database answers it; its settings are those of seed 002, with no URL in them. */
const server = `import { createServer } from 'node:http'
import pg from 'pg'

const { POSTGRES_HOST: host, POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database } = process.env
const pool = new pg.Pool({ host, user, password, database, max: 2, connectionTimeoutMillis: 2000 })
pool.on('error', () => {})
const server = createServer(async (request, response) => {
  const status = await pool.query('select 1').then(() => 200, () => 500)
  response.writeHead(status).end()
})
process.once('SIGTERM', () => process.exit())
server.listen(3000)
`

const migrate = `import pg from 'pg'

const { POSTGRES_HOST: host, POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database } = process.env
const client = new pg.Client({ host, user, password, database })
await client.connect()
if (process.argv[2] === 'seed') await client.query("insert into recipe select i, 'dish ' || i from generate_series(1, 3) i")
else await client.query('create table if not exists recipe (id int primary key, name text)')
await new Promise((resolve) => setTimeout(resolve, Number(process.env.PAUSE ?? 0)))
await client.end()
`

const composeFile = `name: box
services:
  db:
    image: postgres:lab
    pull_policy: never
    env_file: .env
    volumes: ['data:/var/lib/postgresql']
    ports: ['5433:5432']
  app:
    image: rezept:lab
    pull_policy: never
    env_file: .env
    command: node /usr/src/rezept/server.mjs
    volumes: ['/srv/rezept:/usr/src/rezept:ro']
    ports: ['8093:3000']
volumes: { data: {} }
`

/** The three passwords come on stdin, each a line. */
const files = `set -eu
read -r production; read -r development; read -r compose
mkdir -p /srv/rezept /srv/box
cat > /srv/rezept/server.mjs <<'JS'
${server}JS
cat > /srv/rezept/migrate.mjs <<'JS'
${migrate}JS
cat > /srv/box/compose.yaml <<'YAML'
${composeFile}YAML
umask 077
env() { printf '%s\\n' "POSTGRES_HOST=$1" POSTGRES_USER=rezepte "POSTGRES_PASSWORD=$2" "POSTGRES_DB=$3"; }
env seaser-postgres "$production" rezepte > /srv/rezept/production.env
env seaser-postgres-dev "$development" rezepte_dev > /srv/rezept/development.env
env db "$compose" rezepte > /srv/box/.env
for name in DATABASE_URL DIRECT_URL; do echo "$name=postgresql://rezepte:$compose@db:5432/rezepte"; done >> /srv/box/.env
chown -R ops:ops /srv/rezept /srv/box`

/** As \`podman generate systemd --new\` writes it, whose own word on it is that quadlets are newer. */
const startBoxes = `set -eu
cd /srv/rezept
systemctl --user stop 'container-seaser-*'
podman rm --force --all --time 1 > /dev/null
podman volume rm --force --all > /dev/null
podman network exists seaser-network || podman network create seaser-network > /dev/null
box() { local verb=$1; shift; podman $verb --pids-limit 0 --network seaser-network "$@" > /dev/null; }
box 'run --detach' --name seaser-postgres --env-file production.env localhost/postgres:lab
box create --name seaser-postgres-dev --env-file /srv/rezept/development.env --volume dev-data:/var/lib/postgresql localhost/postgres:lab
app='localhost/rezept:lab node /usr/src/rezept/server.mjs'
box 'run --detach' --name seaser-rezept-tagebuch --env-file production.env -v /srv/rezept:/usr/src/rezept:ro -p 8091:3000 $app
box create --name seaser-rezept-tagebuch-dev --env-file /srv/rezept/development.env -v /srv/rezept:/usr/src/rezept:ro -p 8092:3000 $app
mkdir -p ~/.config/systemd/user
cd ~/.config/systemd/user
for name in seaser-postgres-dev seaser-rezept-tagebuch-dev; do
  podman generate systemd --new --files --name $name > /dev/null 2>&1
  podman rm $name > /dev/null
done
systemctl --user daemon-reload
systemctl --user start container-seaser-postgres-dev container-seaser-rezept-tagebuch-dev
${untilUp('podman exec seaser-postgres', 'rezepte')}
${untilUp('podman exec seaser-postgres-dev', 'rezepte_dev')}`

const remove = `
if [ -e /srv/box/compose.yaml ]; then (cd /srv/box && docker compose down --volumes --timeout 1); fi
docker image rm -f postgres:lab rezept:lab localhost/rezept:lab
cd /
runuser -u ops -- env XDG_RUNTIME_DIR=/run/user/1000 bash -c 'cd; systemctl --user stop "container-seaser-*"; rm -rf .config/systemd/user/container-seaser-*; podman system reset --force'
rm -f /var/lib/systemd/linger/ops
systemctl stop user@1000
rm -rf /srv/rezept /srv/box /var/lib/containers/ops /var/lib/containers/postgres.tar /etc/containers/storage.conf
: > /etc/subuid; : > /etc/subgid
exit 0`
