// @ts-check
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A name for the content of files: another one when a byte, a file or a name is another.
 * @param {string} folder
 * @param {readonly string[]} files below it
 */
export function digest(folder, files) {
  const hash = createHash('sha256')
  for (const file of files.toSorted()) {
    const content = readFileSync(join(folder, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  // Half of it: 260 characters are all that a path may have on Windows.
  return hash.digest('hex').slice(0, 32)
}

/**
 * Of all that tasks are made of. npm writes down in the last of these files what is installed.
 * @param {string} root
 */
export function sourcesDigest(root) {
  const ours = ['lib', 'tasks'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [] : join(entry.parentPath.slice(root.length), entry.name),
    ),
  )
  return digest(root, [...ours, 'package.json', 'tsconfig.json', 'node_modules/.package-lock.json'])
}
