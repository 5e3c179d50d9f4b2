import * as z from 'zod'

import { passwordsOf, withPassword } from '../../app/urls.ts'
import { variablePasswords, withVariable } from '../../app/variables.ts'
import type { Host } from '../../host/host.ts'
import type { App } from '../../inventory/inventory.ts'
import { userFile } from '../../pgbouncer/ini.ts'
import { type Pooler, reloadPooler } from '../../pgbouncer/pooler.ts'
import { readUsers, withUsers } from '../../pgbouncer/userlist.ts'
import { rolePasswords, withRolePassword } from '../passfile.ts'
import { isOf, isVerifier, makeVerifier } from '../scram.ts'
import type { Server } from '../server.ts'
import { identifier, literal, sql } from '../sql.ts'

/** Somewhere a role's password stands, outside of `.env`. */
export interface Place {
  name: string
  /** Whether what stands there was made from this password; undefined when the role does not stand there. */
  has(password: string): Promise<boolean | undefined>
  /** Writes it there; does nothing when it is there already. */
  put(password: string): Promise<void>
}

/** The one that a role has had, and its next one. */
export interface Passwords {
  old: string
  fresh: string
}

export interface Secrets {
  /** Told what is about to travel, so that it is shown nowhere. */
  onSecret(secret: string): void
}

/** What a server keeps for a role; undefined for a managed one, which shows it to nobody. */
async function stored(server: Server, role: string): Promise<string | undefined> {
  const [found] = await server.select(
    z.object({ verifier: z.string().nullable() }),
    sql`select rolpassword as verifier from pg_authid where rolname = ${literal(role)}`,
  )
  return found?.verifier ?? undefined
}

/** The server itself. Only a verifier reaches it, so no log of it can hold the password. */
export function serverPlace(server: Server, role: string, secrets: Secrets): Place {
  const has = async (password: string): Promise<boolean> => {
    const verifier = await stored(server, role)
    return verifier !== undefined && isOf(password, verifier)
  }
  return {
    name: `PostgreSQL on ${server.name}`,
    has,
    async put(password) {
      if (await has(password)) return
      const verifier = await makeVerifier(password)
      secrets.onSecret(verifier)
      await server.change([sql`alter role ${identifier(role)} with password ${literal(verifier)}`])
    },
  }
}

/** A managed server shows nobody what it keeps: whether a password is right is known by trying it. */
export function managedPlace(
  server: Server,
  role: string,
  secrets: Secrets,
  isRight: (password: string) => Promise<boolean>,
): Place {
  return {
    name: `PostgreSQL on ${server.name}`,
    has: isRight,
    async put(password) {
      if (await isRight(password)) return
      const verifier = await makeVerifier(password)
      secrets.onSecret(verifier)
      await server.change([sql`alter role ${identifier(role)} with password ${literal(verifier)}`])
    },
  }
}

/** The user list of pgbouncer, as pg-pooler or somebody by hand has written it. */
export function poolerPlace(
  pooler: Pooler,
  role: string,
  server: Server | undefined,
  secrets: Secrets,
): Place {
  const path = `${pooler.directory}/${userFile}`
  return {
    name: pooler.name,
    async has(password) {
      const users = readUsers((await pooler.files.readFile(path)) ?? '')
      const entry = users.find(({ name }) => name === role)
      if (!entry) return undefined
      return isVerifier(entry.password) ? isOf(password, entry.password) : entry.password === password
    },
    async put(password) {
      const text = (await pooler.files.readFile(path)) ?? ''
      if (!readUsers(text).some(({ name }) => name === role)) return
      // It must be the server's own verifier; a managed server does not show it.
      const entry = (server && (await stored(server, role))) ?? password
      secrets.onSecret(entry)
      await pooler.files.write(path, withUsers(text, [{ name: role, password: entry }]), { secret: true })
      if (await pooler.isRunning()) await reloadPooler(pooler)
    },
  }
}

/**
 * A file in which an app finds its connection URLs, or the bare password beside them.
 * @param path absolute
 */
export function envPlace(
  name: string,
  app: App,
  path: string,
  login: Host,
  role: string,
  { old, fresh }: Passwords,
): Place {
  const host = login.as('root')
  return {
    name: `${path} on ${app.host} (app ${name})`,
    async has(password) {
      const text = (await host.readFile(path)) ?? ''
      const passwords = [...passwordsOf(text, role), ...variablePasswords(text, role, [old, fresh])]
      return passwords.length === 0 ? undefined : passwords.every((one) => one === password)
    },
    async put(password) {
      const text = await host.readFile(path)
      if (text === undefined) return
      const other = password === fresh ? old : fresh
      const written = withPassword(withVariable(text, role, other, password), role, password)
      await host.write(path, written, { secret: true })
    },
  }
}

/** The file from which a standby takes the password that it follows the primary with. */
export function passfilePlace(host: Host, server: Server, role: string): Place {
  const postgres = host.as('postgres')
  async function file(): Promise<string> {
    const [setting] = await server.select(
      z.object({ info: z.string() }),
      sql`select current_setting('primary_conninfo') as info`,
    )
    const [, named] = /\bpassfile='?([^'\s]+)'?/.exec(setting?.info ?? '') ?? []
    return named ?? (await postgres.read`echo ~/.pgpass`.text()).trim()
  }
  return {
    name: `the passfile on ${host.name}`,
    async has(password) {
      const passwords = rolePasswords((await postgres.readFile(await file())) ?? '', role)
      return passwords.length === 0 ? undefined : passwords.every((one) => one === password)
    },
    async put(password) {
      const path = await file()
      const text = await postgres.readFile(path)
      if (text !== undefined) {
        await postgres.write(path, withRolePassword(text, role, password), { secret: true })
      }
    },
  }
}

/** Which place has which password, as far as each of them can be asked. */
export async function describePlaces(places: Place[], old: string, fresh: string): Promise<string[]> {
  return Promise.all(
    places.map(async (place) => {
      const { name } = place
      try {
        const isNew = await place.has(fresh)
        if (isNew === undefined) return `${name}: does not name the role`
        if (isNew) return `${name}: the new one`
        return `${name}: ${(await place.has(old)) ? 'the old one' : 'another one'}`
      } catch (error) {
        return `${name}: not known (${error instanceof Error ? error.message : String(error)})`
      }
    }),
  )
}
