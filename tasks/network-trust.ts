/**
 * Shows the host key of a machine and, when you agree, writes it to your known_hosts.
 * Compare the fingerprint with what the machine itself says on its console. Safe to run again.
 *
 *   npx tsx tasks/network-trust.ts --host pg-primary
 *   npx tsx tasks/network-trust.ts --host pg-primary --fingerprint SHA256:…   # scripts
 *   npx tsx tasks/network-trust.ts --host pg-primary --replace                # it was installed anew
 */
import * as z from 'zod'

import { fingerprint, forgetKeys, keyType, rememberKey } from '../lib/host/known-hosts.ts'
import { TaskError } from '../lib/task/errors.ts'
import { defineTask, runIfMain } from '../lib/task/task.ts'

const flags = z.object({
  host: z.string().meta({ description: 'the machine, as the inventory calls it', placeholder: 'NAME' }),
  fingerprint: z
    .string()
    .optional()
    .meta({ description: 'accept exactly this key, without a question', placeholder: 'SHA256:…' }),
  replace: z.boolean().default(false).describe('forget the keys that known_hosts has for it now'),
})

export const task = defineTask({
  name: 'network-trust',
  summary: "Accept a machine's SSH host key after showing its fingerprint",
  details: 'Writes to known_hosts on this computer; changes nothing on the machine. Safe to run again.',
  examples: ['npx tsx tasks/network-trust.ts --host pg-primary'],
  flags,
  preflight: ({ estate, flags: { host } }) => {
    estate.host(host)
    return { problems: [], secrets: [], reach: [] }
  },
  async run(session) {
    const { host, replace, fingerprint: expected } = session.flags
    const shown = await session.step(`Ask ${host} for its key`, () => session.hosts.hostKey(host))
    const { key, names, verdict, file } = shown
    const print = fingerprint(key)
    session.note(`${names.join(', ')} shows ${keyType(key)} ${print}`)
    if (verdict.known === 'yes') {
      session.note('known_hosts has this key already; nothing to do')
      return
    }
    if (verdict.known === 'revoked')
      throw new TaskError(`this key is revoked by ${verdict.file} line ${verdict.line}`)
    if (verdict.known === 'changed' && !replace) {
      throw new TaskError(`${verdict.file} line ${verdict.line} has another key for ${host}`, {
        next: `if you know why it changed: ${session.command('network-trust', ['--host', host, '--replace'])}`,
      })
    }
    if (expected !== undefined && expected !== print) {
      throw new TaskError(`${host} shows ${print}, and not ${expected}; nothing was written`)
    }
    if (expected === undefined) {
      await session.confirm(
        host,
        `On its console, ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub must print ${print}.`,
      )
    }
    await session.step(`Write the key of ${host} to ${file}`, () =>
      session.changeHere(`add ${names.join(', ')} to ${file}`, async () => {
        if (verdict.known === 'changed') await forgetKeys(verdict.file, names)
        await rememberKey(file, names, key)
      }),
    )
  },
})

await runIfMain(import.meta, task)
