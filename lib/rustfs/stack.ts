/** What starts the container, and starts it again after a reboot. */
export interface Stack {
  /** Where its file is. */
  path: string
  /** Its file. */
  text: string
  /** On the container: of which file it was made. */
  print: string
  /** Makes the container, or makes it anew. */
  start(): Promise<void>
  /** Takes the container away; nothing starts it again. */
  stop(): Promise<void>
  /** How often it was started again because it had ended. */
  restarts(): Promise<number>
  /** The end of what it has said. */
  log(): Promise<string>
  /** Why it would not come back after a reboot; undefined: it does. */
  afterReboot(): Promise<string | undefined>
}
