/**
 * Prints how the live schema differs from schema.prisma, in Prisma's words; changes nothing. Exit code 0 either way.
 *
 * Prisma's own `migrate diff --from-schema-datasource` refuses to run with `engine: 'js'`, so the live schema is
 * first pulled into a copy of schema.prisma, then the two files are compared.
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const described = 'prisma/schema.prisma'
const EMPTY = 'P4001'

function prisma(...args) {
  return promisify(execFile)('prisma', args)
}

/** False when there is no table at all. */
async function pullInto(file) {
  await cp(described, file)
  try {
    await prisma('db', 'pull', '--schema', file)
    return true
  } catch (error) {
    if (String(error.stderr).includes(EMPTY)) return false
    throw error
  }
}

async function difference(file) {
  const live = (await pullInto(file)) ? ['--to-schema-datamodel', file] : ['--to-empty']
  const { stdout } = await prisma('migrate', 'diff', '--from-schema-datamodel', described, ...live)
  return stdout.trim()
}

/** Tables of another role, whose columns the app may not see: Prisma pulls them as comments. */
async function hiddenTables(file) {
  const models = (await readFile(file, 'utf8')).matchAll(/^\/\/ model (\w+) \{/gm)
  return Array.from(models, ([, name]) => `\n[+] Added table ${name}, which the app may not read`)
}

const folder = await mkdtemp(join(tmpdir(), 'drift-'))
try {
  const file = join(folder, 'live.prisma')
  process.stdout.write(`${await difference(file)}${(await hiddenTables(file)).join('')}\n`)
} catch (error) {
  process.stderr.write(error.stderr || `${error.stack}\n`)
  process.exitCode = 1
} finally {
  await rm(folder, { recursive: true })
}
