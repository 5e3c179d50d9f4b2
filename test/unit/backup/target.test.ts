import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { expect, test } from 'vitest'

import { checkRecipients } from '../../../lib/backup/target.ts'
import { exitCode } from '../../../lib/task/exit-code.ts'
import { estateOf, rejection } from '../doubles.ts'

async function check(...recipients: string[]): Promise<void> {
  const store = {
    endpoint: 'http://192.0.2.9:9000',
    bucket: 'backups',
    accessKey: 'env:KEY',
    secretKey: 'env:SECRET',
  }
  await checkRecipients(await estateOf({ backup: { store, recipients } }))
}

test('a recipient with a wrong letter is named before anything is dumped', async () => {
  const good = await identityToRecipient(await generateX25519Identity())
  const typo = `${good.slice(0, -1)}${good.endsWith('q') ? 'p' : 'q'}`
  await check(good)
  expect(await rejection(check(good, typo))).toMatchObject({
    message: expect.stringContaining(`/estate/inventory.json: ${typo} is no age key`),
    next: expect.stringContaining('age-keygen'),
    code: exitCode.usage,
  })
})
