import { userManager } from '../container/container.ts'
import { dockerUser } from '../container/docker-user.ts'
import { fromHome } from '../host/home.ts'
import type { Host } from '../host/host.ts'
import type { App } from '../inventory/inventory.ts'

/**
 * Lets an app read its settings again.
 * @param login the app's host, as the user that logs in
 * @param unit what makes its container anew, where a restart would not do
 * @returns false when it is not known what runs of it
 */
export async function restartApp(app: App, login: Host, unit: string | undefined): Promise<boolean> {
  if (unit !== undefined) {
    await login.change`systemctl ${userManager(login)} restart ${unit}`
    return true
  }
  switch (app.runtime) {
    case 'compose': {
      const host = await dockerUser(login)
      const file = app.file ? ['-f', app.file] : []
      // A mere restart would keep the environment that the container was made with.
      await host.change`cd; cd ${fromHome(app.directory)}; docker compose ${file} up -d --no-deps --force-recreate --quiet-pull ${app.service}`
      return true
    }
    case 'podman':
      await login.change`podman restart ${app.container}`
      return true
    case 'pm2':
      await login.change`cd; cd ${fromHome(app.directory)}; pm2 restart ${app.process} --update-env`
      return true
    case 'command':
      return false
  }
}
