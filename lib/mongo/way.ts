import type { Estate } from '../inventory/estate.ts'
import type { MongoEntry } from '../inventory/inventory.ts'

/** How the programs on a member's machine reach it: by loopback, as who the inventory says. */
export interface Way {
  port: number
  tls: MongoEntry['tls']
  login: { user: string; password: string; database: string } | undefined
}

export function wayOf(estate: Estate, cluster: string): Way {
  const { port, tls, login } = estate.mongoCluster(cluster)
  return { port, tls, login: login && { ...login, password: estate.secret(login.password) } }
}

/**
 * Words for mongodump and mongorestore. On the machine itself the name in a certificate proves nothing, so it is not
 * looked at: it is seldom that of loopback.
 */
export function toolWords({ port, tls, login }: Way): string[] {
  return [
    '--host=127.0.0.1',
    `--port=${port}`,
    ...(tls ? ['--ssl', `--sslCAFile=${tls.ca}`, '--sslAllowInvalidHostnames'] : []),
    ...(login ? [`--username=${login.user}`, `--authenticationDatabase=${login.database}`] : []),
  ]
}

/**
 * What `--config` of the tools is given, ended by a NUL; empty without a login. It is YAML, which JSON's strings are
 * (common/options/options.go of mongo-tools, ParseConfigFile).
 */
export function toolConfig({ login }: Way): string {
  return `${login ? `password: ${JSON.stringify(login.password)}\n` : ''}\0`
}

/** For mongosh; who logs in stands beside it. */
export function connectionString({ port, tls, login }: Way): string {
  const parameters = new URLSearchParams({
    directConnection: 'true',
    serverSelectionTimeoutMS: '5000',
    appName: 'hausmeister',
    ...(login ? { authSource: login.database } : {}),
    ...(tls ? { tls: 'true', tlsCAFile: tls.ca, tlsAllowInvalidHostnames: 'true' } : {}),
  })
  return `mongodb://127.0.0.1:${port}/?${parameters.toString()}`
}
