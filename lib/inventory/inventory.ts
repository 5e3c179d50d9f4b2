import * as z from 'zod'

import {
  AbsolutePath,
  Address,
  AgeRecipient,
  BucketName,
  Cidr,
  ContainerName,
  Fingerprint,
  HttpUrl,
  HttpsUrl,
  Identifier,
  Line,
  MongoDatabaseName,
  Name,
  PbsNamespace,
  PinnedImage,
  Port,
  ServerFolder,
  TimeOfWeek,
} from './fields.ts'
import { SecretRef } from './secrets.ts'

export const Environment = z
  .enum(['production', 'staging', 'development', 'test'])
  .describe('What it would cost to lose this. Production is never destroyed by --yes alone.')
export type Environment = z.infer<typeof Environment>

export const NetworkEntry = z.strictObject({
  cidr: Cidr.describe('The range that addresses in this network come from, as 10.10.10.0/24.'),
})
export type NetworkEntry = z.infer<typeof NetworkEntry>

export const SshEntry = z.strictObject({
  network: Name.optional().describe('Which of the addresses is reached from here. Default: the first one.'),
  user: Line.optional().describe('Default: what ~/.ssh/config says, then your own name.'),
  port: Port.optional().describe('Default: what ~/.ssh/config says, then 22.'),
  key: Line.optional().describe('Private key file on this machine. Default: the agent and ~/.ssh/config.'),
  passphrase: SecretRef.optional().describe('Passphrase of the key, as env:NAME.'),
  jump: Name.optional().describe('The host through which this one is reached.'),
  sudoPassword: SecretRef.optional().describe(
    'As env:NAME. Leave out for root or for sudo without password.',
  ),
})
export type SshEntry = z.infer<typeof SshEntry>

export const HostEntry = z.strictObject({
  addresses: z
    .record(Name, Address)
    .refine((addresses) => Object.keys(addresses).length > 0, 'is empty; name an address or leave it out')
    .optional()
    .describe('One address for each network. Without any, the name of the host is looked up.'),
  ssh: SshEntry.optional().describe('How to log in.'),
  proxmox: z.boolean().optional().describe('This machine is a Proxmox VE node.'),
  guestOf: Name.optional().describe('The Proxmox VE node that this guest runs on. Leave out if it moves.'),
  vmid: z
    .int()
    .min(100, 'Proxmox VE starts at 100')
    .max(999_999_999, 'Proxmox VE ends at 999999999')
    .optional()
    .describe('Number of the guest in Proxmox VE.'),
  local: z.boolean().optional().describe('The machine that the tasks run on: no SSH.'),
})
export type HostEntry = z.infer<typeof HostEntry>

export const Database = z.strictObject({
  owner: Identifier.describe('The role that owns it, which is the role that the app logs in as.'),
  shadow: Identifier.optional().describe(
    'The scratch database of `prisma migrate dev`: empty, safe to drop.',
  ),
  environment: Environment,
})
export type Database = z.infer<typeof Database>

export const Role = z.strictObject({
  password: SecretRef.optional().describe(
    'As env:NAME. Leave out for a role that never logs in by password.',
  ),
})
export type Role = z.infer<typeof Role>

export const AccessRule = z.strictObject({
  role: Identifier.describe('A role of this cluster.'),
  database: Identifier.describe('A database or shadow database of this cluster, or "all".'),
  from: Line.describe('The name of a network or of a host, or a range such as 10.10.10.0/24.'),
})
export type AccessRule = z.infer<typeof AccessRule>

const poolerContent = {
  port: Port.default(6432).describe('Where it listens.'),
  mode: z
    .enum(['session', 'transaction'])
    .default('transaction')
    .describe('How long a client keeps its server connection.'),
  poolSize: z.int().min(1).default(20).describe('Server connections for each database and role.'),
  maxClients: z.int().min(1).default(100).describe('Connections of clients; more are refused.'),
}

export const SystemdPooler = z.strictObject({
  runtime: z.literal('systemd'),
  host: Name.describe("The machine; it runs as the distribution's service pgbouncer."),
  ...poolerContent,
})
export type SystemdPooler = z.infer<typeof SystemdPooler>

export const ComposePooler = z.strictObject({
  runtime: z.literal('compose'),
  app: Name.describe('The app whose compose file it stands in.'),
  service: Line.describe('The service that runs pgbouncer.'),
  directory: AbsolutePath.regex(/^\//, 'a path on the machine that starts with "/" is expected').describe(
    "Folder on the app's host that the service has as /etc/pgbouncer.",
  ),
  ...poolerContent,
})
export type ComposePooler = z.infer<typeof ComposePooler>

export const PoolerEntry = z.discriminatedUnion('runtime', [SystemdPooler, ComposePooler])
export type PoolerEntry = z.infer<typeof PoolerEntry>

const clusterContent = {
  version: z.int().min(13, 'versions before 13 are not supported').optional().describe('Major version.'),
  databases: z.record(Identifier, Database).default({}),
  roles: z.record(Identifier, Role).default({}),
  access: z.array(AccessRule).default([]).describe('Who may connect from where.'),
  pooler: PoolerEntry.optional().describe('The pgbouncer through which the apps connect.'),
}

export const MachineCluster = z.strictObject({
  hosts: z
    .array(Name)
    .min(1, 'a cluster needs at least one host')
    .describe('The machines. Which one is the primary is asked of them, for it changes.'),
  port: Port.default(5432),
  locale: Line.optional().describe(
    'Of new databases, as de_DE.UTF-8. Default: C.UTF-8 on a new server, else what the server has.',
  ),
  replication: Identifier.optional().describe('The role under "roles" that standbys log in as.'),
  ...clusterContent,
})
export type MachineCluster = z.infer<typeof MachineCluster>

export const ManagedCluster = z.strictObject({
  url: SecretRef.describe('postgresql://… of an administrating role, as env:NAME.'),
  via: Name.optional().describe('The host through which the server is reached by a tunnel.'),
  ...clusterContent,
})
export type ManagedCluster = z.infer<typeof ManagedCluster>

const containerHost = Name.describe('The machine that it runs on.')

const podmanContainer = z.strictObject({
  runtime: z.literal('podman'),
  host: containerHost,
  name: ContainerName.describe('Name of the container; rootless, so it belongs to the user that logs in.'),
})

const dockerContainer = z.strictObject({
  runtime: z.literal('docker'),
  host: containerHost,
  name: ContainerName.describe('Name of the container.'),
})

const composeContainer = z.strictObject({
  runtime: z.literal('compose'),
  host: containerHost,
  directory: AbsolutePath.describe('Where the compose file is.'),
  file: Line.optional().describe(
    'Name of the compose file, when it is not one that compose finds by itself.',
  ),
  service: ContainerName.describe('The service that runs PostgreSQL.'),
})

export const ContainerEntry = z.discriminatedUnion('runtime', [
  podmanContainer,
  dockerContainer,
  composeContainer,
])
export type ContainerEntry = z.infer<typeof ContainerEntry>

export const ContainerCluster = z.strictObject({
  container: ContainerEntry.describe('The container that PostgreSQL runs in, as its official image does it.'),
  ...clusterContent,
})
export type ContainerCluster = z.infer<typeof ContainerCluster>

/**
 * Our machines (`'hosts' in cluster`), a server in a container of a machine (`'container' in cluster`), or one known
 * only by its URL (`'url' in cluster`).
 */
export const PostgresCluster = z.union([MachineCluster, ManagedCluster, ContainerCluster])
export type PostgresCluster = z.infer<typeof PostgresCluster>

export const MongoDatabase = z.strictObject({ environment: Environment })
export type MongoDatabase = z.infer<typeof MongoDatabase>

export const MongoLogin = z.strictObject({
  user: Line.describe('An administrating user; which roles it needs is in docs/backup.md.'),
  password: SecretRef.describe('As env:NAME.'),
  database: MongoDatabaseName.default('admin').describe('The database that the user was created in.'),
})
export type MongoLogin = z.infer<typeof MongoLogin>

export const MongoEntry = z.strictObject({
  hosts: z
    .array(Name)
    .min(1, 'a MongoDB needs at least one host')
    .describe('The machines of its members. Which one is the primary is asked of them, for it changes.'),
  port: Port.default(27017),
  replicaSet: Line.optional().describe('Name of the replica set. Leave out for a server that stands alone.'),
  login: MongoLogin.optional().describe('Leave out for a server without access control.'),
  tls: z
    .strictObject({
      ca: AbsolutePath.describe('File on each machine with the certificate of the authority.'),
    })
    .optional()
    .describe('The members talk TLS.'),
  databases: z.record(MongoDatabaseName, MongoDatabase).default({}),
})
export type MongoEntry = z.infer<typeof MongoEntry>

const appContent = {
  environment: Environment,
  host: Name.describe('The machine that it runs on.'),
  database: z
    .strictObject({ cluster: Name.describe('A name under "postgres".'), name: Identifier })
    .optional()
    .describe('The database that it uses.'),
  migrate: Line.optional().describe('Command that brings the schema up to date, run where the app runs.'),
  seed: Line.optional().describe('Command that fills a new database, run where the app runs.'),
  drift: Line.optional().describe(
    'Command that ends with 0 and prints how the schema differs from the migrations.',
  ),
  migrations: Line.optional().describe('Folder of Prisma migrations, relative to where the commands run.'),
  envFile: Line.optional().describe('The file on the machine that the app reads its settings from.'),
  health: HttpUrl.optional().describe('Answers 2xx while the app is well.'),
}

export const ComposeApp = z.strictObject({
  runtime: z.literal('compose'),
  directory: AbsolutePath.describe('Where the compose file is.'),
  file: Line.optional().describe(
    'Name of the compose file, when it is not one that compose finds by itself.',
  ),
  service: Line.describe('The service that commands run in.'),
  ...appContent,
})
export type ComposeApp = z.infer<typeof ComposeApp>

export const PodmanApp = z.strictObject({
  runtime: z.literal('podman'),
  container: Line.describe('Name of the container; rootless, so it belongs to the user that logs in.'),
  ...appContent,
})
export type PodmanApp = z.infer<typeof PodmanApp>

export const Pm2App = z.strictObject({
  runtime: z.literal('pm2'),
  directory: AbsolutePath,
  process: Line.describe('Its name in `pm2 list`.'),
  ...appContent,
})
export type Pm2App = z.infer<typeof Pm2App>

export const CommandApp = z.strictObject({
  runtime: z.literal('command'),
  directory: AbsolutePath,
  user: Line.optional().describe('Who runs the commands. Default: the user that logs in.'),
  ...appContent,
})
export type CommandApp = z.infer<typeof CommandApp>

export const App = z.discriminatedUnion('runtime', [ComposeApp, PodmanApp, Pm2App, CommandApp])
export type App = z.infer<typeof App>

/** https://github.com/rustfs/rustfs/releases: none but candidates so far. */
const rustfsImage = 'docker.io/rustfs/rustfs:1.0.0-rc.3'

export const StoreServer = z.strictObject({
  host: Name.describe('The machine on which backup-up starts RustFS.'),
  runtime: z.enum(['compose', 'podman']).describe('docker compose, or podman with a unit of systemd.'),
  directory: ServerFolder.describe('Folder there: what starts the store, and below data/ what it holds.'),
  image: PinnedImage.default(rustfsImage),
})
export type StoreServer = z.infer<typeof StoreServer>

export const StoreEntry = z.strictObject({
  endpoint: HttpUrl.describe('Of an S3-compatible store, as http://10.10.10.20:9000.'),
  region: Line.default('us-east-1').describe('As the store calls it; stores that are not AWS take any.'),
  bucket: BucketName,
  accessKey: SecretRef.describe('As env:NAME.'),
  secretKey: SecretRef.describe('As env:NAME.'),
  versioning: z
    .boolean()
    .optional()
    .describe('true: the bucket keeps what is overwritten or deleted as old versions.'),
  server: StoreServer.optional().describe(
    'backup-up starts a store of our own there. Without it there is one at the endpoint already.',
  ),
})
export type StoreEntry = z.infer<typeof StoreEntry>

export const Keep = z.strictObject({
  daily: z.int().min(1).default(7).describe('Days of which the newest backup is kept.'),
  weekly: z.int().min(0).default(0).describe('Weeks, likewise.'),
  monthly: z.int().min(0).default(0).describe('Months, likewise.'),
  minimum: z.int().min(1).default(3).describe('Good backups that are kept however old they are.'),
})
export type Keep = z.infer<typeof Keep>

export const BackupFolder = z.strictObject({
  host: Name,
  path: AbsolutePath.describe('A folder; all of it is backed up.'),
  environment: Environment.default('production').describe(
    'A production folder is replaced by a restore only with --confirm.',
  ),
  scratch: AbsolutePath.optional().describe(
    'Folder of that host in which backups are unpacked to verify them. Default: beside the folder.',
  ),
})
export type BackupFolder = z.infer<typeof BackupFolder>

export const BackupSchedule = z.strictObject({
  host: Name.describe('The machine on which the tasks run by themselves.'),
  directory: AbsolutePath.describe(
    'Where hausmeister is there, with an inventory.json and a .env of its own.',
  ),
  user: Name.optional().describe('Who runs them. Default: the user that logs in.'),
  backup: TimeOfWeek.default('02:30').describe(
    'By the clock of that machine: 02:30 each day, Sun 02:30 each week.',
  ),
  verify: TimeOfWeek.default('Sun 04:00').describe('Likewise.'),
  prune: TimeOfWeek.default('05:30').describe('Likewise.'),
})
export type BackupSchedule = z.infer<typeof BackupSchedule>

export const BackupEntry = z.strictObject({
  store: StoreEntry,
  recipients: z
    .array(AgeRecipient)
    .min(1, 'without a recipient nobody could read a backup; `age-keygen` makes one')
    .describe('age public keys. Any one of their secret keys opens every backup.'),
  identity: SecretRef.optional().describe(
    'Secret key of one of them, as env:NAME: for verifying and restoring, not for making backups.',
  ),
  databases: z
    .array(Line)
    .optional()
    .describe(
      'Names, or cluster/name where two clusters have one of that name; of PostgreSQL and MongoDB. Default: all.',
    ),
  folders: z.array(BackupFolder).default([]),
  source: z
    .enum(['primary', 'standby'])
    .optional()
    .describe(
      'Who is dumped. A standby (of MongoDB: a secondary) that is too far behind is not; the primary is then. ' +
        'Default: the primary of PostgreSQL, a secondary of MongoDB.',
    ),
  scratch: Name.optional().describe(
    'Cluster on which backups are restored to verify them. Default: the one that they come from.',
  ),
  checks: z
    .record(Line, z.array(Line))
    .default({})
    .describe('By database: SQL that answers true on a restored copy that is good.'),
  keep: Keep.prefault({}),
  schedule: BackupSchedule.optional().describe('Without it nothing runs by itself.'),
})
export type BackupEntry = z.infer<typeof BackupEntry>

const apiContent = {
  url: HttpsUrl,
  fingerprint: Fingerprint.optional().describe(
    "SHA-256 of its certificate, as Proxmox shows it. Without it the certificate must be from an authority that this computer trusts, and for the URL's name.",
  ),
}

export const ProxmoxNode = z.strictObject(apiContent)
export type ProxmoxNode = z.infer<typeof ProxmoxNode>

export const ProxmoxBackup = z.strictObject({
  ...apiContent,
  token: SecretRef.describe('user@realm!name=secret of an API token of the backup server, as env:NAME.'),
  via: Name.optional().describe('The host through which the backup server is reached by a tunnel.'),
  datastore: Line.describe(
    'As the backup server calls it, which need not be what Proxmox VE calls the storage.',
  ),
  namespace: PbsNamespace.default('').describe('Of the datastore. Default: its root.'),
  staleAfterHours: z
    .number()
    .positive('must be more than 0')
    .default(26)
    .describe('How old the newest backup of a guest may be. Default: a day, and time for the next one.'),
  unverifiedAfterDays: z
    .number()
    .positive('must be more than 0')
    .default(8)
    .describe('How old the newest verified backup of a guest may be. Default: a week and a day.'),
  exempt: z
    .array(Line)
    .default([])
    .describe('Guests that need no backup, by name or VMID; the backup server itself may be one.'),
})
export type ProxmoxBackup = z.infer<typeof ProxmoxBackup>

export const ProxmoxCluster = z.strictObject({
  nodes: z
    .record(Name, ProxmoxNode)
    .refine((nodes) => Object.keys(nodes).length > 0, 'a cluster needs at least one node')
    .describe(
      'Hosts marked "proxmox" with the URL of their API, as https://192.0.2.10:8006; the first that answers is asked.',
    ),
  token: SecretRef.describe('user@realm!name=secret of an API token, as env:NAME.'),
  via: Name.optional().describe('The host through which the nodes are reached by a tunnel.'),
  backup: ProxmoxBackup.optional().describe('The Proxmox Backup Server that its guests are backed up to.'),
})
export type ProxmoxCluster = z.infer<typeof ProxmoxCluster>

/** What the estate is. One file, no secrets in it; every task reads the same statement of fact. */
export const Inventory = z.strictObject({
  $schema: z.string().optional().describe('For editors: ./inventory.schema.json'),
  estate: Name.describe('Name of the estate, as it stands in messages and journals.'),
  networks: z
    .record(Name, NetworkEntry)
    .default({})
    .describe('In order of preference: two hosts talk in the first network that both are in.'),
  hosts: z.record(Name, HostEntry).default({}),
  postgres: z.record(Name, PostgresCluster).default({}).describe('PostgreSQL clusters by name.'),
  mongo: z.record(Name, MongoEntry).default({}).describe('MongoDB replica sets and single servers by name.'),
  apps: z.record(Name, App).default({}),
  backup: BackupEntry.optional().describe('What is backed up, where to, and how long it is kept.'),
  proxmox: z
    .record(Name, ProxmoxCluster)
    .default({})
    .describe('Proxmox VE clusters, or single nodes, by name.'),
})
export type Inventory = z.infer<typeof Inventory>
