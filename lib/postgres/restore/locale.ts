import { TaskError } from '../../task/errors.ts'
import type { DatabaseFacts } from '../catalog.ts'
import { plainLocale } from '../debian.ts'
import type { Way } from '../dump/way.ts'

/**
 * Whether the machine of a server has the locales that a new database there is to have.
 * @param way to where the server itself runs
 * @throws TaskError with the command that makes those that it lacks
 */
export async function checkLocale(
  { host, inside, place }: Pick<Way, 'host' | 'inside' | 'place'>,
  { collate, ctype }: Pick<DatabaseFacts, 'collate' | 'ctype'>,
): Promise<void> {
  const output = await host.read({ nothrow: true })`cd /; ${[...inside, 'env']} LC_ALL=C locale -a`
  // musl has no list, and takes any name.
  if (output.exitCode !== 0) return
  const there = new Set(output.stdout.split('\n').map((line) => plainLocale(line.trim())))
  const missing = [...new Set([collate, ctype])].filter((name) => !there.has(plainLocale(name)))
  if (missing.length === 0) return
  const commands = missing.map((name) => {
    const [language, encoding = 'UTF-8'] = name.split('.')
    return `localedef -i ${language} -f ${encoding} ${name}`
  })
  throw new TaskError(
    `${place} has no locale ${missing.join(', ')}, which the database had that was dumped`,
    {
      next:
        inside.length === 0
          ? `as root on ${host.name}: apt-get install locales && ${commands.join(' && ')}`
          : `let that container be of an image that has it: ${commands.join(' && ')}`,
    },
  )
}
