import type { Run } from '../host/events.ts'
import type { Host } from '../host/host.ts'
import { quote } from '../host/quote.ts'
import { TaskError } from '../task/errors.ts'
import { cronTimeOf, type Job, type Scheduler } from './job.ts'

/** The crontab of a user. What was due while the machine was off is not made up for. */
export function crontab(login: Host, user: string, run: Run): Scheduler {
  const host = login.as(user)
  const name = `the crontab of ${user} on ${host.name}`

  async function read(): Promise<string> {
    const { exitCode, stdout, stderr } = await host.read({ nothrow: true })`crontab -l`
    if (exitCode === 0) return stdout
    if (stderr.includes('no crontab for')) return ''
    throw new TaskError(`cannot read ${name}`, { seen: stderr.trim() })
  }

  async function bring(names: readonly string[], lines: readonly string[]): Promise<void> {
    const before = await read()
    const text = withLines(before, names, lines)
    const command = `write ${name}`
    if (text === before) return run.onChange({ state: 'unchanged', host: host.name, user, command })
    // Lines of others may hold secrets.
    const shown = { command, input: lines.join('\n') }
    await host.change({ input: text, shown })`crontab -`
  }

  return {
    name,
    install: (jobs) =>
      bring(
        jobs.map((job) => job.name),
        jobs.map((job) => cronLine(job)),
      ),
    async next(jobs) {
      const lines = (await read()).split('\n')
      for (const job of jobs) {
        if (!lines.includes(cronLine(job))) throw new TaskError(`${name} does not have ${job.name}`)
      }
      return jobs.map(({ at }) => (at.includes(' ') ? `every ${at}` : `every day at ${at}`))
    },
    async installed(names) {
      const text = await read()
      return names.filter((one) => withLines(text, [one], []) !== text)
    },
    running: async () => [],
    remove: (names) => bring(names, []),
  }
}

/** The name at its end is how the line is found again. */
export function cronLine({ name, at, command, directory }: Job): string {
  const line = `cd ${quote(directory)} && ${command.map((word) => quote(word)).join(' ')} # ${name}`
  // crontab(5): a bare % ends the command, and what follows is its input.
  return `${cronTimeOf(at)} ${line.replaceAll('%', String.raw`\%`)}`
}

/** The crontab with the lines of these names replaced by those; every other line as it was. */
export function withLines(text: string, names: readonly string[], lines: readonly string[]): string {
  const all = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  const isOurs = (line: string): boolean => names.some((one) => line.endsWith(` # ${one}`))
  const at = all.findIndex((line) => isOurs(line))
  const others = all.filter((line) => !isOurs(line))
  others.splice(at === -1 ? others.length : at, 0, ...lines)
  return others.map((line) => `${line}\n`).join('')
}
