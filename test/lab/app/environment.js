import { existsSync } from 'node:fs'

const file = new URL('.env', import.meta.url)

/** Variables that are set already win over the file, so that one call can be given another database. */
if (existsSync(file)) process.loadEnvFile(file)

/** Throws when the variable is in neither the environment nor the .env beside this file. */
export function variable(name) {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: it belongs in ${file.pathname}`)
  return value
}
