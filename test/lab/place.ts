import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where one lab lives on this machine: every name it may use, so that clearing up can tell its things from others'. */
export type Place = {
  name: string
  state: string
  cache: string
  switchNamespace: string
  controllerNamespace: string
}

/**
 * Two words, so that no lab's name is the beginning of another's: `hm-lab` owns every namespace `hm-lab-*`.
 * `LAB_NAME` and `LAB_STATE` change the name and the folder.
 */
export function placeOf(name = process.env.LAB_NAME ?? 'hm-lab'): Place {
  if (!/^hm-[a-z0-9]{1,9}$/.test(name)) {
    throw new Error(`lab name ${JSON.stringify(name)}: must be hm- and 1 to 9 letters or digits, like hm-lab`)
  }
  const cacheHome = process.env.XDG_CACHE_HOME
  return {
    name,
    state: join(process.env.LAB_STATE ?? '/var/lib/hausmeister-lab', name),
    cache: cacheHome ? join(cacheHome, 'hausmeister-lab') : '/var/cache/hausmeister-lab',
    switchNamespace: `${name}-sw`,
    controllerNamespace: `${name}-ctl`,
  }
}

export function hostNamespace(place: Place, host: string): string {
  return `${place.name}-${host}`
}

export function namespacePath(namespace: string): string {
  return `/run/netns/${namespace}`
}

/** Does not say whether the host runs: a folder outlives `poweroff`. */
export function hostFolder(place: Place, host: string): string {
  return join(place.state, 'hosts', host)
}

/** What `up` writes for the tasks and tests. `home` is the operator's home folder, so that nobody's own ~/.ssh is used. */
export function filesOf(place: Place) {
  const at = (name: string) => join(place.state, name)
  return {
    inventory: at('inventory.json'),
    env: at('.env'),
    knownHosts: at('known_hosts'),
    key: at('id_ed25519'),
    sshConfig: at('ssh_config'),
    home: at('home'),
    secrets: at('secrets.json'),
    record: at('lab.json'),
    generation: at('generation'),
  }
}

export function namespaceExists(namespace: string): boolean {
  return existsSync(namespacePath(namespace))
}
