import { appFindings } from './checks/apps.ts'
import { backupFindings } from './checks/backup.ts'
import { hostFindings } from './checks/hosts.ts'
import { mongoFindings } from './checks/mongo.ts'
import { postgresFindings } from './checks/postgres.ts'
import { proxmoxFindings } from './checks/proxmox.ts'
import { textFindings } from './checks/text.ts'
import { Cursor } from './cursor.ts'
import { InventoryError } from './errors.ts'
import { Inventory } from './inventory.ts'
import { hasDuplicateKeys, parseJson } from './json.ts'
import { knownKeysAsMessage, schemaFindings } from './schema-findings.ts'

/**
 * The inventory in `text`.
 *
 * @param file how problems call it
 * @throws InventoryError with every problem there is, in the order of the file
 */
export async function parseInventory(text: string, file: string): Promise<Inventory> {
  const parsed = parseJson(text)
  if (parsed.broken) {
    const { syntaxProblem } = await import('./positions.ts')
    throw new InventoryError([syntaxProblem(text, file)])
  }

  const root = new Cursor(parsed.value)
  const result = Inventory.safeParse(parsed.value, { error: knownKeysAsMessage })
  const findings = [
    ...schemaFindings(result.error?.issues ?? [], root),
    ...textFindings(root),
    ...hostFindings(root),
    ...postgresFindings(root),
    ...mongoFindings(root),
    ...appFindings(root),
    ...backupFindings(root),
    ...proxmoxFindings(root),
  ]
  const repeated = hasDuplicateKeys(text, parsed.value)
  if (result.success && findings.length === 0 && !repeated) return result.data

  const { duplicateKeys, locate } = await import('./positions.ts')
  const problems = [...(repeated ? duplicateKeys(text, file) : []), ...locate(findings, text, file)]
  throw new InventoryError(
    problems.toSorted((one, other) => one.line - other.line || one.column - other.column),
  )
}
