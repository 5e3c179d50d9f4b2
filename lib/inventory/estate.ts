import { EstateError } from './errors.ts'
import type {
  App,
  BackupEntry,
  Database,
  HostEntry,
  Inventory,
  MongoDatabase,
  MongoEntry,
  NetworkEntry,
  PostgresCluster,
  ProxmoxCluster,
} from './inventory.ts'
import { suggestion } from './nearest.ts'
import { type SecretRef, secretName, secretRefs, type Secrets } from './secrets.ts'

/** A database with the cluster that it is in. */
export interface FoundDatabase {
  clusterName: string
  cluster: PostgresCluster
  name: string
  database: Database
}

/** A database of MongoDB with the replica set or server that it is on. */
export interface FoundMongoDatabase {
  clusterName: string
  name: string
  database: MongoDatabase
}

export interface NamedApp {
  name: string
  app: App
}

/** The inventory with its references resolved and its secrets at hand. Made by `loadEstate`. */
export class Estate {
  readonly name: string
  /** Absolute path of the inventory. */
  readonly file: string
  readonly networks: Readonly<Record<string, NetworkEntry>>
  readonly hosts: Readonly<Record<string, HostEntry>>
  readonly postgres: Readonly<Record<string, PostgresCluster>>
  readonly mongo: Readonly<Record<string, MongoEntry>>
  readonly apps: Readonly<Record<string, App>>
  readonly backup: BackupEntry | undefined
  readonly proxmox: Readonly<Record<string, ProxmoxCluster>>
  /** The `.env` beside the inventory, whether or not there is one. */
  readonly secretsFile: string
  /** What the operator should hear once a run, each with what to do about it. */
  readonly warnings: readonly string[]
  readonly #inventory: Inventory
  readonly #secrets: Secrets

  constructor(inventory: Inventory, file: string, secrets: Secrets) {
    this.name = inventory.estate
    this.file = file
    this.networks = inventory.networks
    this.hosts = inventory.hosts
    this.postgres = inventory.postgres
    this.mongo = inventory.mongo
    this.apps = inventory.apps
    this.backup = inventory.backup
    this.proxmox = inventory.proxmox
    this.secretsFile = secrets.file
    this.warnings = secrets.warnings
    this.#inventory = inventory
    this.#secrets = secrets
  }

  host(name: string): HostEntry {
    return this.#named('host', name, this.hosts)
  }

  cluster(name: string): PostgresCluster {
    return this.#named('PostgreSQL cluster', name, this.postgres)
  }

  mongoCluster(name: string): MongoEntry {
    return this.#named('MongoDB', name, this.mongo)
  }

  app(name: string): App {
    return this.#named('app', name, this.apps)
  }

  /**
   * @param name of a database, or `cluster/database` where several clusters have one of that name
   * @throws EstateError when there is none, or more than one
   */
  findDatabase(name: string): FoundDatabase {
    const all = this.databases()
    const found = all.filter((entry) => entry.name === name || `${entry.clusterName}/${entry.name}` === name)
    const [first, ...others] = found
    if (first === undefined) {
      const parent = all.find(({ database }) => database.shadow === name)
      const names = all.map((entry) =>
        name.includes('/') ? `${entry.clusterName}/${entry.name}` : entry.name,
      )
      throw new EstateError(
        `${this.file} has no database "${name}"`,
        parent === undefined
          ? suggestion(name, names)
          : `It is the shadow database of "${parent.name}", which is recreated with it`,
      )
    }
    if (others.length > 0) {
      const choices = found.map((entry) => `${entry.clusterName}/${entry.name}`)
      throw new EstateError(
        `${found.length} clusters have a database "${name}"`,
        `Say which one: ${choices.join(' or ')}`,
      )
    }
    return first
  }

  appsUsing(clusterName: string, database: string): NamedApp[] {
    return Object.entries(this.apps)
      .filter(([, app]) => app.database?.cluster === clusterName && app.database.name === database)
      .map(([name, app]) => ({ name, app }))
  }

  appsOf(clusterName: string): NamedApp[] {
    return Object.entries(this.apps)
      .filter(([, app]) => app.database?.cluster === clusterName)
      .map(([name, app]) => ({ name, app }))
  }

  /**
   * @param network default: the one that SSH uses, else the first of the inventory that the host is in
   * @throws EstateError when the host has no such address
   */
  addressOf(hostName: string, network?: string): string {
    const { addresses = {}, ssh } = this.host(hostName)
    const wanted = network ?? ssh?.network ?? this.#networksOf(hostName)[0]
    const address = wanted === undefined ? undefined : own(addresses, wanted)
    if (address !== undefined) return address
    throw new EstateError(
      wanted === undefined
        ? `"${hostName}" has no address in ${this.file}`
        : `"${hostName}" has no address in the network "${wanted}"`,
      `Add it at hosts.${hostName}.addresses in ${this.file}`,
    )
  }

  /**
   * The address at which `toHost` is reached from `fromHost`: in the first network of the inventory that
   * both are in. On one and the same machine it is that machine's own address, else loopback.
   *
   * @throws EstateError when they share no network
   */
  addressBetween(fromHost: string, toHost: string): string {
    const from = this.#networksOf(fromHost)
    const to = this.#networksOf(toHost)
    const shared = from.find((network) => to.includes(network))
    if (shared !== undefined) return this.addressOf(toHost, shared)
    if (fromHost === toHost) return '127.0.0.1'
    throw new EstateError(
      `"${fromHost}" and "${toHost}" share no network: ${inWords(from)} and ${inWords(to)}`,
      `Add an address in a common network at hosts.${fromHost}.addresses or hosts.${toHost}.addresses in ${this.file}`,
    )
  }

  /** @throws EstateError naming the variable, when it is not set or empty */
  secret(ref: SecretRef): string {
    const name = secretName(ref)
    const value = this.#secrets.value(name)
    if (value !== undefined) return value
    throw new EstateError(`the secret ${name} is not set`, `Add a line ${name}=… to ${this.secretsFile}`)
  }

  /** Names of the variables that are not set, each once, in the order asked. */
  missingSecrets(refs: readonly SecretRef[]): string[] {
    const names = new Set(refs.map(secretName))
    return [...names].filter((name) => this.#secrets.value(name) === undefined)
  }

  /** Every secret the inventory names that is set, and the password inside of one that is a URL. */
  secretValues(): string[] {
    const values = secretRefs(this.#inventory).flatMap((ref) => this.#secrets.value(secretName(ref)) ?? [])
    return [...new Set(values.flatMap((value) => [value, ...passwordsIn(value)]))]
  }

  #named<Value>(kind: string, name: string, all: Readonly<Record<string, Value>>): Value {
    const found = own(all, name)
    if (found !== undefined) return found
    throw new EstateError(`${this.file} has no ${kind} "${name}"`, suggestion(name, Object.keys(all)))
  }

  /** All databases of all clusters, in the order of the file. */
  databases(): FoundDatabase[] {
    return Object.entries(this.postgres).flatMap(([clusterName, cluster]) =>
      Object.entries(cluster.databases).map(([name, database]) => ({ clusterName, cluster, name, database })),
    )
  }

  /** All databases of MongoDB, in the order of the file. */
  mongoDatabases(): FoundMongoDatabase[] {
    return Object.entries(this.mongo).flatMap(([clusterName, { databases }]) =>
      Object.entries(databases).map(([name, database]) => ({ clusterName, name, database })),
    )
  }

  #networksOf(hostName: string): string[] {
    const addresses = this.host(hostName).addresses ?? {}
    return Object.keys(this.networks).filter((network) => own(addresses, network) !== undefined)
  }
}

/** Names come from flags and files: "constructor" must not find what every object inherits. */
function own<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

function inWords(networks: string[]): string {
  return networks.length === 0 ? 'no addresses' : networks.join(', ')
}

/** As written in the URL and as the server gets it: either may turn up in a message. */
function passwordsIn(value: string): string[] {
  if (!URL.canParse(value)) return []
  const { password } = new URL(value)
  if (password === '') return []
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    return [password]
  }
}
