import { labelsOf, publishingOf, settings } from './container.ts'
import { marked, sumOf } from './mark.ts'
import { keyFileOf, dataOf, type Server } from './server.ts'
import type { Stack } from './stack.ts'

/** By `docker compose`, with a file of its own in the store's folder. */
export function compose(server: Server): Stack {
  const { host, name, directory } = server
  const path = `${directory}/compose.yaml`
  const print = sumOf(fileOf(server, ''))
  return {
    path,
    print,
    text: marked(fileOf(server, print)),
    start: async () =>
      void (await host.change`docker compose -f ${path} up --detach --quiet-pull --force-recreate`),
    stop: async () => void (await host.change`docker compose -f ${path} down --timeout 30`),
    async restarts() {
      const { stdout } = await host.read({
        nothrow: true,
      })`docker inspect --format '{{.RestartCount}}' ${name}`
      return Number(stdout.trim()) || 0
    },
    log: async () => (await host.read({ nothrow: true })`docker logs --tail 15 ${name} 2>&1`).stdout,
    async afterReboot() {
      const { stdout } = await host.read({ nothrow: true })`systemctl is-enabled docker.service`
      return stdout.trim() === 'enabled' ? undefined : 'systemctl enable docker'
    },
  }
}

/** JSON is YAML. */
function fileOf(server: Server, print: string): string {
  const service = {
    container_name: server.name,
    image: server.image,
    pull_policy: 'never',
    restart: 'unless-stopped',
    env_file: [keyFileOf(server)],
    environment: settings,
    ports: [publishingOf(server)],
    volumes: [{ type: 'bind', source: dataOf(server), target: '/data', bind: { create_host_path: false } }],
    security_opt: ['no-new-privileges:true'],
    labels: labelsOf(server, print),
  }
  return `${JSON.stringify({ name: server.name, services: { store: service } }, undefined, 2)}\n`
}
