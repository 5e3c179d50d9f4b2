/**
 * `npm test`: types, format, lint, unit, embedded and lab tests, in this order; names at its end what failed, and ends
 * with `N passed, N failed`.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

import { execa } from 'execa'
import * as z from 'zod'

interface Count {
  passed: number
  failed: number
}

const Report = z.object({
  success: z.boolean(),
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string(),
      status: z.string(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
})
type Report = z.infer<typeof Report>

const inCi = (process.env['CI'] ?? '') !== ''
const total: Count = { passed: 0, failed: 0 }
/** A line each. Of a long run one may have no more than the end. */
const failures: string[] = []

await stage('types', () => check('tsc', ['--noEmit']))
await stage('format', () => check('oxfmt', ['--check', '.']))
await stage('lint', () => check('oxlint', ['--type-aware', '--deny-warnings']))
await stage('unit tests', () => vitest('unit'))
// Both mostly wait, for processes to end and cables to be missed; what the first prints is shown when it is done.
const embedded = stage('embedded tests', () => vitest('embedded', 'pipe'))
const reason = noLab()
if (reason === undefined) {
  await stage('lab tests', () => vitest('lab'))
} else {
  console.log(`\n== lab tests: NOT RUN: ${reason}`)
  // In CI nobody reads that line.
  if (inCi) total.failed += 1
}
await embedded
if (failures.length > 0) console.log(`\n== failed:\n${failures.join('\n')}`)
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1

async function stage(title: string, run: () => Promise<Count>): Promise<void> {
  console.log(`\n== ${title}`)
  const start = Date.now()
  const { passed, failed } = await run()
  total.passed += passed
  total.failed += failed
  console.log(
    `== ${title}: ${passed} passed, ${failed} failed, ${((Date.now() - start) / 1000).toFixed(1)} s`,
  )
}

async function check(command: string, args: string[]): Promise<Count> {
  const { failed } = await execa(command, args, { preferLocal: true, stdio: 'inherit', reject: false })
  return { passed: failed ? 0 : 1, failed: failed ? 1 : 0 }
}

async function vitest(project: string, output: 'inherit' | 'pipe' = 'inherit'): Promise<Count> {
  const folder = await mkdtemp(join(tmpdir(), 'hausmeister-test-'))
  const file = join(folder, 'report.json')
  try {
    const args = [
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ]
    const options = {
      preferLocal: true,
      stdin: 'ignore',
      stdout: output,
      stderr: output,
      reject: false,
    } as const
    const { failed, stdout, stderr } = await execa('vitest', args, options)
    if (output === 'pipe') console.log(`\n== ${project} tests printed:\n${stdout}\n${stderr}`)
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) return { passed: 0, failed: 1 }
    const report = Report.parse(JSON.parse(text))
    failures.push(...failuresOf(report))
    // A test that did not run proves nothing.
    const notRun = report.numPendingTests + report.numTodoTests
    const bad = report.numFailedTests + notRun
    return { passed: report.numPassedTests, failed: bad === 0 && (failed || !report.success) ? 1 : bad }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function failuresOf({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, message, status, assertionResults }) => {
    const file = relative('.', name)
    const tests = assertionResults
      .filter((test) => test.status !== 'passed')
      .map(
        (test) =>
          `${file}: ${test.fullName}: ${firstLine(test.failureMessages?.[0] ?? `it was ${test.status}`)}`,
      )
    // A hook of the whole file, or a file that could not be loaded, is no test's.
    return tests.length === 0 && status !== 'passed' ? [`${file}: ${firstLine(message)}`] : tests
  })
}

function firstLine(text: string): string {
  return text.split('\n', 1).join('')
}

/** Why the lab cannot run here; undefined when it can. */
function noLab(): string | undefined {
  if (process.env['LAB'] === '0') return 'LAB=0'
  if (process.platform !== 'linux') return `it needs Linux, this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'it needs root (namespaces, mounts): sudo npm test'
  return undefined
}
