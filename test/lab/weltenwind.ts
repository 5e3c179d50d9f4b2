import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'

import { appFolder, ensureAppImage } from './app-image.ts'
import type { Lab } from './lab.ts'
import { placeOf } from './place.ts'

const host = 'vm-app'
const home = '/srv/weltenwind'
const image = 'weltenwind:lab'

/** uid in the image, and of the file on the host that only pgbouncer may read. */
const pgbouncerId = 5432

/** Those who may call docker on vm-app own the app's files: `docker compose` reads them as its caller. */
const ops = 1000

/** The label makes Compose start anew what runs other sources. */
const compose = (version: string) => `name: weltenwind

services:
  app:
    container_name: weltenwind-app
    image: ${image}
    pull_policy: never
    restart: unless-stopped
    labels: { sources: '${version}' }
    ports: ['3000:3000']
    depends_on: [pgbouncer, redis]
    volumes:
      - ./src:/usr/src/app
      - ./logs:/usr/src/logs
      - ./backups:/usr/src/backups

  pgbouncer:
    container_name: weltenwind-pgbouncer
    image: ${image}
    pull_policy: never
    restart: unless-stopped
    user: '${pgbouncerId}'
    command: pgbouncer /etc/pgbouncer/pgbouncer.ini
    volumes: ['./pgbouncer:/etc/pgbouncer:ro']

  redis:
    container_name: weltenwind-redis
    image: ${image}
    pull_policy: never
    restart: unless-stopped
    user: '6379'
    command: redis-server --bind 0.0.0.0 --protected-mode no --save ''
`

/** server_login_retry: pgbouncer's own 15 s would make every test wait so long after a refused login. */
const pgbouncer = `[databases]
weltenwind = host=10.10.10.11 port=5432 dbname=weltenwind

[pgbouncer]
listen_addr = 0.0.0.0
listen_port = 6432
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = transaction
default_pool_size = 10
max_client_conn = 100
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
`

function environment(password: string): string {
  const login = `postgresql://ww_app:${password}`
  return `DATABASE_URL=${login}@pgbouncer:6432/weltenwind
DIRECT_URL=${login}@10.10.10.11:5432/weltenwind
SHADOW_DATABASE_URL=${login}@10.10.10.11:5432/weltenwind_shadow
REDIS_URL=redis://redis:6379
`
}

type Source = { path: string; text: string }

/** The app's folder; npm's modules are in the image. */
async function sources(): Promise<Source[]> {
  const entries = await readdir(appFolder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(appFolder, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('node_modules/') && path !== '.env')
  return await Promise.all(
    paths.toSorted().map(async (path) => ({ path, text: await readFile(join(appFolder, path), 'utf8') })),
  )
}

function versionOf(all: readonly Source[]): string {
  return createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 16)
}

async function put(lab: Lab, path: string, text: string, mode = '644', owner = ops): Promise<void> {
  const file = `${home}/${path}`
  const script = `set -eu
umask 077
mkdir -p -m 755 $(dirname ${file})
cat >${file}
chmod ${mode} ${file}
chown ${owner}:${owner} ${file}`
  await lab.sh(host, script, { input: text })
}

async function loadImage(lab: Lab, file: string): Promise<void> {
  const name = basename(file, '.tar')
  const { stdout } = await lab.sh(host, `docker image inspect -f '{{.Comment}}' ${image}`, { nothrow: true })
  if (stdout.trim() === name) return
  const changes = [
    'ENV PATH=/usr/src/node_modules/.bin:/usr/sbin:/usr/bin',
    'ENV CHECKPOINT_DISABLE=1 NPM_CONFIG_UPDATE_NOTIFIER=false PRISMA_HIDE_UPDATE_MESSAGE=1',
    'WORKDIR /usr/src/app',
    'CMD ["node", "server.js"]',
  ].flatMap((change) => ['--change', `'${change}'`])
  const command = ['docker', 'import', '--message', name, ...changes, '-', image].join(' ')
  await lab.controller('ssh', ['-F', lab.files.sshConfig, host, command], { inputFile: file })
}

/** Written anew on every call, so that what a test changed in `src` is mended. */
async function placeFiles(lab: Lab, password: string): Promise<void> {
  await lab.sh(
    host,
    `set -eu
mkdir -p ${home}/{src,logs,backups}
rm -rf ${home}/src/prisma
ln -sfn ${home}/src /src`,
  )
  const all = await sources()
  await Promise.all([
    ...all.map(({ path, text }) => put(lab, `src/${path}`, text)),
    put(lab, 'src/.env', environment(password), '600'),
    put(lab, 'docker-compose.yml', compose(versionOf(all))),
    put(lab, 'pgbouncer/pgbouncer.ini', pgbouncer),
    put(lab, 'pgbouncer/userlist.txt', `"ww_app" "${password}"\n`, '600', pgbouncerId),
  ])
  await lab.sh(
    host,
    `chown ${ops}:${ops} ${home} ${home}/{src,logs,backups,pgbouncer} && chown -R ${ops}:${ops} ${home}/src`,
  )
}

/** Any answer will do: the app is up before its database is whole. */
const waitForApp = `for try in $(seq 300); do
  if curl -s -o /dev/null -m 4 http://10.10.10.14:3000/; then exit; fi
  sleep 0.1
done
docker logs --tail 20 weltenwind-app >&2
exit 1`

/**
 * The app of seed 000 on vm-app: app, pgbouncer and redis in Docker Compose below /srv/weltenwind, talking to pg-primary.
 * Returns when the app answers, whatever it says. Running it again mends what a test changed in the files.
 */
export async function placeWeltenwind(
  lab: Lab,
  say: (line: string) => void = () => undefined,
): Promise<void> {
  const file = await ensureAppImage(placeOf(lab.name), say)
  const { app } = await lab.secrets()
  await lab.sh(host, 'systemctl --quiet enable --now docker')
  await loadImage(lab, file)
  await placeFiles(lab, app)
  await lab.sh(
    host,
    `docker compose -f ${home}/docker-compose.yml up -d --wait --quiet-pull && ${waitForApp}`,
  )
}

/** The status with which the app says how it is, to another machine; `000` when it does not answer. */
export async function health(lab: Lab): Promise<string> {
  const { stdout } = await lab.sh(
    'pve',
    "curl -s -m 9 -o /dev/null -w '%{http_code}' http://10.10.10.14:3000/api/health || true",
  )
  return stdout
}

export async function untilWell(lab: Lab): Promise<void> {
  await lab.sh(
    host,
    `for try in $(seq 300); do
  if curl -sf -o /dev/null -m 4 http://10.10.10.14:3000/api/health; then exit; fi
  sleep 0.1
done
docker logs --tail 20 weltenwind-app >&2
exit 1`,
  )
}
