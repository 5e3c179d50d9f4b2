import type { Lab } from './lab.ts'
import { placeWeltenwind } from './weltenwind.ts'

export const folder = '/srv/weltenwind/pgbouncer'

/** On vm-app: where pgbouncer's container is, and how to look into it once pg-pooler was there. */
const onApp = `
address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' weltenwind-pgbouncer)
through() { psql -X -At -h "$address" -p 6432 "$@"; }
look() {
  PGPASSWORD=$(sed -n 's/^"hausmeister" "\\(.*\\)"$/\\1/p' ${folder}/userlist.txt) through -U hausmeister -d pgbouncer -c "$1"
}`

/** Asks pgbouncer's console on vm-app, or gives what it said instead. */
export async function look(lab: Lab, question: string): Promise<string> {
  const { stdout, stderr } = await lab.sh('vm-app', `${onApp}\nlook '${question}'`, { nothrow: true })
  return stdout || stderr
}

/** A client of the app's pooler: SQL, and in it \`\\!\` for what it does meanwhile. */
export async function query(lab: Lab, text: string): Promise<string> {
  const { app } = await lab.secrets()
  const script = `${onApp}
read -r PGPASSWORD
export PGPASSWORD
through -q -v ON_ERROR_STOP=1 -U ww_app -d weltenwind 2>&1`
  const { stdout } = await lab.sh('vm-app', script, { input: `${app}\n${text}\n`, nothrow: true })
  return stdout
}

/** What clients met that connected anew all the time. Milliseconds. */
export interface Load {
  answers: number
  failures: string[]
  longest: number
}

/** Connects to the app's pooler and asks for something, over and over, until it is stopped. */
export async function startLoad(lab: Lab): Promise<{ stop(): Promise<Load> }> {
  const { app } = await lab.secrets()
  const script = `${onApp}
read -r PGPASSWORD
export PGPASSWORD
rm -f /run/lab-load.stop
touch /run/lab-load.on
until [ -e /run/lab-load.stop ]; do
  begin=$(date +%s%3N)
  said=$(through -U ww_app -d weltenwind -c 'select 1' 2>&1 | tr '\\n' ' ')
  echo "$(($(date +%s%3N) - begin)) $said"
  sleep 0.05
done`
  const running = lab.sh('vm-app', script, { input: `${app}\n` })
  await lab.sh('vm-app', 'until [ -e /run/lab-load.on ]; do sleep 0.05; done; rm /run/lab-load.on')
  return {
    stop: async () => {
      await lab.sh('vm-app', 'touch /run/lab-load.stop')
      const { stdout } = await running
      const lines = stdout.split('\n').filter((line) => line !== '')
      const failures = lines.filter((line) => !/^\d+ 1 ?$/.test(line))
      return {
        answers: lines.length - failures.length,
        failures,
        longest: Math.max(...lines.map((line) => Number.parseInt(line, 10))),
      }
    },
  }
}

/** The app's pooler as it stands in seed 000, without what pg-pooler has added. */
export async function resetPooler(lab: Lab): Promise<void> {
  await lab.sh('vm-app', `rm -f ${folder}/hausmeister*.ini`)
  await placeWeltenwind(lab)
  await lab.sh('vm-app', 'docker restart -t 2 weltenwind-pgbouncer >/dev/null')
}
