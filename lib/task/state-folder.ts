import { isAbsolute } from 'node:path'

/**
 * Where this program keeps what is no configuration and no cache: `$XDG_STATE_HOME/hausmeister` or
 * `~/.local/state/hausmeister`, `~/Library/Logs/hausmeister`, `%LOCALAPPDATA%\hausmeister\Log`.
 * Without HOME the account's entry decides. Throws when there is no such folder.
 */
export async function stateFolder(): Promise<string> {
  // Asks for the home folder as it is loaded, which an account without one answers with an error.
  const { default: envPaths } = await import('env-paths')
  const { log } = envPaths('hausmeister', { suffix: '' })
  if (!isAbsolute(log)) {
    throw new Error(
      `the state folder would be "${log}", which depends on where one stands: set HOME to a full path`,
    )
  }
  return log
}
