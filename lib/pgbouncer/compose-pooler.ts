import { dockerUser } from '../container/docker-user.ts'
import { fromHome } from '../host/home.ts'
import type { Host } from '../host/host.ts'
import type { ComposeApp, ComposePooler as Entry } from '../inventory/inventory.ts'
import { TaskError } from '../task/errors.ts'
import { type Pooler, versionIn } from './pooler.ts'

/** pgbouncer as a service of an app's compose file, with a folder of the machine as its /etc/pgbouncer. */
export async function composePooler(entry: Entry, app: ComposeApp, login: Host): Promise<Pooler> {
  const control = await dockerUser(login)
  const { service } = entry
  const home = fromHome(app.directory)
  const compose = ['docker', 'compose', ...(app.file ? ['-f', app.file] : [])]
  const name = `pgbouncer on ${app.host} (service ${service})`

  async function container(): Promise<string> {
    const { stdout } = await control.read`cd; cd ${home}; ${compose} ps -q --status running ${service}`
    const id = stdout.trim()
    if (id !== '') return id
    throw new TaskError(`${name} is not running`, {
      next: `cd ${app.directory} && ${compose.join(' ')} up -d ${service}   # on ${app.host}`,
    })
  }
  /** A program of its image, whether or not the service itself comes up. */
  const once = async (program: string, argument: string): Promise<string> => {
    const run = [...compose, 'run', '--rm', '--no-deps', '-T', '--entrypoint', program, service, argument]
    const { stdout } = await control.read({ nothrow: true })`cd; cd ${home}; ${run}`
    return stdout.trim()
  }
  return {
    name,
    entry,
    hostName: app.host,
    files: login.as('root'),
    control,
    directory: entry.directory,
    version: async () => versionIn(await once('pgbouncer', '--version')),
    async install() {
      throw new TaskError(`the image of ${name} has no pgbouncer`, {
        next: `look at the image of ${service} in the compose file in ${app.directory} on ${app.host}`,
      })
    },
    async isRunning() {
      // Where there is no folder, or no docker, nothing runs; whatever else is wrong must not look so.
      const { stdout, stderr, exitCode } = await control.read({
        nothrow: true,
      })`cd; [ -e ${home} ] || exit 0; cd ${home}; ${compose} ps -q --status running ${service}`
      if (exitCode === 0) return stdout.trim() !== ''
      if (/Cannot connect to the Docker daemon|no such service|no configuration file/i.test(stderr))
        return false
      throw new TaskError(`whether ${name} runs cannot be told`, { seen: stderr.trim() })
    },
    // By the restart policy in the compose file, which is the user's.
    isEnabled: async () => true,
    async start() {
      await control.change`cd; cd ${home}; ${compose} up -d --no-deps --quiet-pull ${service}`
    },
    async restart() {
      await control.change`cd; cd ${home}; ${compose} restart --no-deps ${service}`
    },
    // In its container it is alone.
    portTakenBy: async () => undefined,
    async signal() {
      const id = await container()
      // A signal reaches process 1, and a shell that stands there hands none on.
      const { stdout } = await control.read`docker exec ${id} cat /proc/1/comm`
      if (stdout.trim() !== 'pgbouncer') {
        throw new TaskError(`${name} gets no signals: process 1 of its container is ${stdout.trim()}`, {
          next: 'let its command be pgbouncer itself, or a script that ends in "exec pgbouncer …"',
        })
      }
      return ['docker', 'kill', id, '-s']
    },
    async log(since) {
      const { stdout } =
        await control.read`cd; cd ${home}; ${compose} logs --no-log-prefix --no-color --since ${since} ${service} 2>&1`
      return stdout
    },
    async listens() {
      const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'
      const { stdout } = await control.read`docker inspect -f ${format} ${await container()}`
      const [first] = stdout.trim().split(' ')
      if (first) return { address: first, port: entry.port }
      throw new TaskError(`${name} is in no network of docker`, { next: `docker inspect ${service}` })
    },
    async owner() {
      const id = await once('id', '-u')
      if (/^\d+$/.test(id)) return `${id}:${id}`
      throw new TaskError(`${name}: its image does not say as whom it runs`, {
        next: `create ${entry.directory}/userlist.txt, empty, for that user alone (mode 600)`,
      })
    },
  }
}
