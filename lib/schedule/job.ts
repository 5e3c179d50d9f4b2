/** A command that a machine runs by itself. */
export interface Job {
  /** Of its units, and in a crontab: letters, digits, `-`, `_` and `.` */
  name: string
  /** For people. */
  description: string
  /** `02:30` each day or `Sun 04:00` each week, by the clock of the machine. */
  at: string
  /** A program by its full path, and its arguments. */
  command: readonly string[]
  directory: string
  user: string
}

/** What brings jobs onto a machine: its systemd or a crontab. */
export interface Scheduler {
  /** `systemd on vm-grafana`, `the crontab of ops on vm-app`. */
  name: string
  /**
   * Brings the machine to these jobs; others stay as they are.
   * @throws TaskError, before the first change, when somebody else has something of that name there
   */
  install(jobs: readonly Job[]): Promise<void>
  /**
   * When each of them runs next, in the words of the machine.
   * @throws TaskError when one of them would not run
   */
  next(jobs: readonly Job[]): Promise<string[]>
  /** Those of these names that are there. */
  installed(names: readonly string[]): Promise<string[]>
  /** Those of these that are at work right now, as the machine calls them; cron does not know. */
  running(names: readonly string[]): Promise<string[]>
  /** Takes jobs away. One that is at work comes to its end. */
  remove(names: readonly string[]): Promise<void>
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** As systemd.time(7) has it. */
export function calendarOf(at: string): string {
  const [time, day] = at.split(' ').toReversed()
  return `${day === undefined ? '' : `${day} `}*-*-* ${time}:00`
}

/** As crontab(5) has it. */
export function cronTimeOf(at: string): string {
  const [time = '', day] = at.split(' ').toReversed()
  const [hour, minute] = time.split(':').map(Number)
  return `${minute} ${hour} * * ${day === undefined ? '*' : weekdays.indexOf(day)}`
}
