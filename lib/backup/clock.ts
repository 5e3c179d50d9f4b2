/** What time it is for what backups and their records are named after. A test of several days moves it. */
export const clock = { now: (): Date => new Date() }
