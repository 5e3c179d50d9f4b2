import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'

import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { execa } from 'execa'
import * as z from 'zod'

import { filesOf, type Place } from './place.ts'

/** Swift's access key: account and user. */
export const storeAccount = 'lab:backup'

/** Made anew at every `up`; letters, digits, - and _ only, so that a test may put them into SQL or a shell as they are. */
const Secrets = z.object({
  sudo: z.string(),
  app: z.string(),
  replication: z.string(),
  /** Of the S3 store's only account. */
  store: z.string(),
  /** An age secret key, and its public half. */
  identity: z.string(),
  recipient: z.string(),
})
export type Secrets = z.infer<typeof Secrets>

function secret(): string {
  return randomBytes(24).toString('base64url')
}

/** Writes the operator's key pair, the secrets and the `.env`, each readable by root only. */
export async function makeSecrets(place: Place): Promise<Secrets> {
  const files = filesOf(place)
  const identity = await generateX25519Identity()
  const secrets = {
    sudo: secret(),
    app: secret(),
    replication: secret(),
    store: secret(),
    identity,
    recipient: await identityToRecipient(identity),
  }
  await writeFile(files.secrets, JSON.stringify(secrets), { mode: 0o600 })
  const env = [
    `PG_APP_PASSWORD=${secrets.app}`,
    `PG_REPLICATION_PASSWORD=${secrets.replication}`,
    `PG_PRIMARY_SUDO_PASSWORD=${secrets.sudo}`,
    `BACKUP_ACCESS_KEY=${storeAccount}`,
    `BACKUP_SECRET_KEY=${secrets.store}`,
    `BACKUP_IDENTITY=${secrets.identity}`,
    '',
  ].join('\n')
  await writeFile(files.env, env, { mode: 0o600 })
  await makeKey(files.key, 'operator')
  return secrets
}

export async function readSecrets(place: Place): Promise<Secrets> {
  return Secrets.parse(JSON.parse(await readFile(filesOf(place).secrets, 'utf8')))
}

/** An ed25519 key without passphrase at the path, the public half beside it. */
export async function makeKey(path: string, comment: string): Promise<void> {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path])
}
