import { readFile, writeFile } from 'node:fs/promises'

const file = '/proc/sys/fs/inotify/max_user_instances'

/** A lab takes about 80, and Linux gives a user 128 of them: too few for a second lab. */
const enough = 2048

/** Until this machine starts again. */
export async function allowInotify(say: (line: string) => void): Promise<void> {
  const now = Number(await readFile(file, 'utf8'))
  if (now >= enough) return
  await writeFile(file, String(enough))
  say(`fs.inotify.max_user_instances raised from ${now} to ${enough}`)
}
