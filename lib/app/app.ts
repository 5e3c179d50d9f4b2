import type { ProcessPromise } from 'zx/core'

import { dockerUser } from '../container/docker-user.ts'
import { leash } from '../container/leash.ts'
import { fromHome } from '../host/home.ts'
import type { Host } from '../host/host.ts'
import type { Hosts } from '../host/hosts.ts'
import type { Command, CommandOptions } from '../host/shell.ts'
import type { App } from '../inventory/inventory.ts'

/** Runs commands where an app runs: in its container, or in its folder. */
export interface AppShell {
  /** How messages name the place: `vm-app, service app`. */
  place: string
  read(command: string, options?: CommandOptions): ProcessPromise
  change(command: string, options?: CommandOptions): ProcessPromise
  /** The line that runs a command there by hand, for the operator. */
  byHand(command: string): string
}

export async function appShell(hosts: Hosts, app: App): Promise<AppShell> {
  const login = await hosts.get(app.host)
  switch (app.runtime) {
    case 'compose': {
      const host = await dockerUser(login)
      const file = app.file ? ['-f', app.file] : []
      // `run`, not `exec`: it works while the app itself does not come up, which is when one resets.
      return appCommands(
        host,
        `${app.host}, service ${app.service}`,
        (run, command) =>
          run`cd 2> /dev/null || :; cd ${fromHome(app.directory)}; exec docker compose ${file} run --rm --no-deps -T ${app.service} sh -c ${leash} leash ${command}`,
        (command) =>
          `cd ${app.directory} && docker compose ${[...file, 'run', '--rm', '--no-deps', app.service].join(' ')} ${command}`,
        { keepInputOpen: true },
      )
    }
    case 'podman':
      return appCommands(
        login,
        `${app.host}, container ${app.container}`,
        (run, command) => run`exec podman exec -i ${app.container} sh -c ${leash} leash ${command}`,
        (command) => `podman exec ${app.container} ${command}`,
        { keepInputOpen: true },
      )
    case 'pm2':
      return appCommands(
        login,
        `${app.host}, ${app.directory}`,
        (run, command) => run`cd 2> /dev/null || :; cd ${fromHome(app.directory)}; exec sh -c ${command}`,
        (command) => `cd ${app.directory} && ${command}`,
      )
    case 'command':
      return appCommands(
        app.user ? login.as(app.user) : login,
        `${app.host}, ${app.directory}`,
        (run, command) => run`cd 2> /dev/null || :; cd ${fromHome(app.directory)}; exec sh -c ${command}`,
        (command) => `cd ${app.directory} && ${command}`,
      )
  }
}

type Template = ReturnType<Extract<Command, (options: CommandOptions) => unknown>>

function appCommands(
  host: Host,
  place: string,
  start: (run: Template, command: string) => ProcessPromise,
  byHand: (command: string) => string,
  always: CommandOptions = {},
): AppShell {
  const shown = (command: string) => ({ command: `${command}   # ${place}` })
  return {
    place,
    byHand: (command) => `on ${host.name} as ${host.user}: ${byHand(command)}`,
    read: (command, options = {}) => start(host.read({ ...always, ...options }), command),
    change: (command, options = {}) =>
      start(host.change({ ...always, shown: shown(command), ...options }), command),
  }
}
