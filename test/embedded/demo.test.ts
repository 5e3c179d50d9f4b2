import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { execa, type Subprocess } from 'execa'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Demo {
  exitCode: number | undefined
  /** What it printed. */
  text: string
  /** Its two folders. */
  folders: string[]
}

/** @param disturb is called once, when the new database is about to be created */
async function runDemo(disturb?: (child: Subprocess, folders: string[]) => unknown): Promise<Demo> {
  const child = execa('npm', ['run', 'demo'], { cwd: root, reject: false, all: true, detached: true })
  let isDisturbed = false
  let text = ''
  const folders = (): string[] => /on 127\.0\.0\.1 only, in (\S+) and (\S+):/.exec(text)?.slice(1) ?? []
  child.all.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (isDisturbed || !/--yes\n[^]* start {2}Create an empty/.test(text)) return
    isDisturbed = true
    disturb?.(child, folders())
  })
  const { exitCode } = await child
  expect(isDisturbed).toBe(true)
  expect(folders()).toHaveLength(2)
  return { exitCode, text, folders: folders() }
}

/** With their environments, which name the folder of the demo too. */
async function processesOf(folders: string[]): Promise<string[]> {
  const { stdout } = await execa('ps', ['axeww', '-o', 'pid,args'])
  return stdout.split('\n').filter((line) => folders.some((folder) => line.includes(folder)))
}

async function expectNothingLeft({ folders }: Demo): Promise<void> {
  await expect.poll(() => processesOf(folders), { timeout: 60_000 }).toEqual([])
  for (const folder of folders) expect(existsSync(folder)).toBe(false)
  expect(await readFile('/etc/passwd', 'utf8')).toBe(users)
}

const users = readFileSync('/etc/passwd', 'utf8')

describe('npm run demo', () => {
  test('resets an old database in seconds, and leaves nothing behind', async () => {
    const start = performance.now()
    const demo = await runDemo()
    const { text } = demo
    const seconds = (performance.now() - start) / 1000
    expect(demo.exitCode).toBe(0)

    const commands = text.split('\n').filter((line) => line.startsWith('$ '))
    expect(commands).toHaveLength(2)
    expect(commands[0]).toMatch(
      /^\$ node --import tsx tasks\/pg-reset\.ts .*--database weltenwind --dry-run$/,
    )
    expect(commands[1]).toMatch(/--database weltenwind --yes$/)
    expect(text).toContain('pg-reset: dry run done in')
    expect(text).toContain('ww_app logged in from app-1 and sees 4 tables')
    expect(text).toMatch(/worlds +2 rows {2}\(id, slug, name, parent_theme, theme_bundle\)/)
    const end = text.trimEnd().split('\n').slice(-5).join('\n')
    expect(end).toBe(
      [
        'weltenwind now:',
        '  _prisma_migrations   3 rows',
        '  page_permissions    12 rows  (page, role, allowed)',
        '  players              3 rows  (id, email, role, world_id)',
        '  worlds               3 rows  (id, slug, name, assets)',
      ].join('\n'),
    )
    await expectNothingLeft(demo)
    expect(seconds).toBeLessThan(30)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'ended by %s during the reset leaves nothing either',
    async (sent) => {
      // To all of them at once, as a terminal does.
      const demo = await runDemo((child) => process.kill(-(child.pid ?? 0), sent))
      expect(demo.exitCode).not.toBe(0)
      expect(demo.text).toContain(`demo: stopped by ${sent}`)
      expect(demo.text).toContain('weltenwind is back under its name')
      await expectNothingLeft(demo)
    },
  )

  test('whose task is killed says so, and leaves nothing', async () => {
    const demo = await runDemo(async (_, folders) => {
      const tasks = (await processesOf(folders)).filter((line) => /node.*pg-reset\.ts.*--yes/.test(line))
      for (const task of tasks) process.kill(Number.parseInt(task, 10), 'SIGKILL')
    })
    expect(demo.exitCode).toBe(1)
    expect(demo.text).toMatch(/demo: this ended with \S.*: node --import tsx tasks\/pg-reset\.ts .* --yes/)
    await expectNothingLeft(demo)
  })
})
