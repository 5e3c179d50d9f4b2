import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { execa } from 'execa'

/** Ends the ControlMasters whose sockets are in a folder. */
export async function endMasters(folder: string): Promise<void> {
  const sockets = await readdir(folder).catch(() => [])
  for (const name of sockets) {
    const path = `ControlPath=${join(folder, name)}`
    await execa('ssh', ['-o', path, '-O', 'exit', 'anyone'], { reject: false })
  }
}
