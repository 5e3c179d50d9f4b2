import type { Host } from '../host/host.ts'
import { InventoryError, problemText } from '../inventory/errors.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { parseInventory } from '../inventory/parse.ts'
import { TaskError } from '../task/errors.ts'
import { exitCode } from '../task/exit-code.ts'

/** `engines` of package.json: major and minor. */
const [oldestMajor, oldestMinor] = [20, 19]

/** What starts a task in the form that starts fastest, from the folder of the checkout. */
export const fastForm = 'lib/start/fast.mjs'

/** For a task that is tried. Milliseconds. */
const patience = 300_000

/** hausmeister on a machine, so that it can run there without anybody. */
export interface Checkout {
  /** Full path of the program. */
  node: string
  directory: string
  user: string
  home: string
  inventory: Inventory
}

/**
 * Looks whether a machine has node, hausmeister and an inventory for one of its users.
 * @param tasks that it must have, by name
 * @throws TaskError that names all that is missing
 */
export async function findCheckout(
  login: Host,
  user: string,
  directory: string,
  tasks: readonly string[],
): Promise<Checkout> {
  const host = login.as(user)
  const files = [
    'inventory.json',
    'node_modules/tsx/package.json',
    fastForm,
    ...tasks.map((name) => `tasks/${name}.ts`),
  ]
  // runuser keeps root's HOME; node may be known to the profile of its user alone.
  const { stdout } = await host.read`
    export HOME=$(getent passwd "$(id -un)" | cut -d: -f6)
    directory=${directory}
    case $directory in '~/'*) directory=$HOME/\${directory#'~/'};; esac
    node=$(cd; bash -lc 'command -v node' 2> /dev/null || :)
    echo "home=$HOME"
    echo "directory=$directory"
    echo "node=$node"
    echo "version=$([ -z "$node" ] || "$node" --version)"
    for file in ${files}; do [ -r "$directory/$file" ] || echo "missing=$file"; done`
  const all = stdout.split('\n').map((line) => line.split('='))
  const of = (key: string): string[] => all.flatMap(([name, ...rest]) => (name === key ? rest.join('=') : []))
  const one = (key: string): string => of(key)[0] ?? ''
  const found = { node: one('node'), directory: one('directory'), user, home: one('home') }
  const missing = of('missing')
  const problems = [
    ...nodeProblems(found.node, one('version')),
    ...missing.map((file) => `there is no ${found.directory}/${file}, or ${user} cannot read it`),
  ]
  const inventory = missing.includes('inventory.json')
    ? undefined
    : await readInventory(host, `${found.directory}/inventory.json`, problems)
  if (problems.length === 0 && inventory) return { ...found, inventory }
  throw new TaskError(
    [`${login.name} cannot run hausmeister as ${user}:`, ...problems.map((text) => `- ${text}`)].join('\n'),
    {
      code: exitCode.usage,
      next: `put hausmeister, inventory.json and .env there, and as ${user} in ${found.directory}: npm ci`,
    },
  )
}

function nodeProblems(node: string, version: string): string[] {
  if (node === '') return ['there is no node']
  const [major = 0, minor = 0] = version.replace('v', '').split('.').map(Number)
  const isOld = major < oldestMajor || (major === oldestMajor && minor < oldestMinor)
  return isOld ? [`${node} is ${version}, and ${oldestMajor}.${oldestMinor} is the oldest that will do`] : []
}

async function readInventory(host: Host, path: string, problems: string[]): Promise<Inventory | undefined> {
  try {
    return await parseInventory((await host.readFile(path)) ?? '', `${path} on ${host.name}`)
  } catch (error) {
    if (!(error instanceof InventoryError)) throw error
    problems.push(...error.problems.map((problem) => problemText(problem)))
  }
}

/** The command that runs a task there by itself. */
export function taskCommand({ node }: Checkout, task: string, flags: readonly string[]): string[] {
  return [node, fastForm, `tasks/${task}.ts`, ...flags]
}

/**
 * Runs a task there once, in a dry run, as its user and with no more environment than cron gives.
 * @throws TaskError with what it says
 */
export async function tryTask(login: Host, checkout: Checkout, task: string): Promise<void> {
  const { user, home, directory } = checkout
  const command = taskCommand(checkout, task, ['--dry-run', '--quiet'])
  const {
    exitCode: code,
    stderr,
    stdout,
  } = await login.as(user).read({ nothrow: true, timeout: patience })`
    cd ${directory}
    unset SSH_AUTH_SOCK
    HOME=${home} PATH=/usr/bin:/bin exec ${command}`
  if (code === 0) return
  throw new TaskError(`${task} --dry-run on ${login.name} as ${user} ends with exit code ${code}`, {
    seen: `${stderr}${stdout}`.trim().split('\n').slice(-20).join('\n'),
    next: `as ${user} on ${login.name}: cd ${directory} && npx tsx tasks/${task}.ts --dry-run`,
  })
}
