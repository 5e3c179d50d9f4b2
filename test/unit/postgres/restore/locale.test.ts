import { expect, test } from 'vitest'

import { Access, Host } from '../../../../lib/host/host.ts'
import { checkLocale } from '../../../../lib/postgres/restore/locale.ts'
import { RecordedRun, rejection, ScriptedMachine } from '../../doubles.ts'

function check(locale: string, inside: string[] = [], code = 0): Promise<void> {
  const machine = new ScriptedMachine('pg-1', ({ say }) => {
    say('C\nC.utf8\nPOSIX\nen_GB.utf8\n')
    return code
  })
  const host = new Host(new Access(machine, async () => undefined), new RecordedRun(), 'root')
  return checkLocale({ host, inside, place: 'pg-1' }, { collate: locale, ctype: locale })
}

test.each(['C', 'POSIX', 'C.UTF-8', 'en_GB.UTF-8', 'en_GB.utf8'])('%s is there', async (locale) => {
  await check(locale)
})

test('one that is not is told with the command that makes it', async () => {
  expect(await rejection(check('de_DE.UTF-8'))).toMatchObject({
    message: 'pg-1 has no locale de_DE.UTF-8, which the database had that was dumped',
    next: 'as root on pg-1: apt-get install locales && localedef -i de_DE -f UTF-8 de_DE.UTF-8',
  })
  expect(await rejection(check('de_DE.ISO-8859-1', ['podman', 'exec', '-i', 'box']))).toMatchObject({
    next: 'let that container be of an image that has it: localedef -i de_DE -f ISO-8859-1 de_DE.ISO-8859-1',
  })
})

test('where nobody knows, the server is asked when the database is created', async () => {
  await check('de_DE.UTF-8', ['podman', 'exec', '-i', 'box'], 127)
})
