/** Preloaded into a task: for it, it is an hour later. */
const now = Date.now
const hour = 3_600_000
globalThis.Date = class extends Date {
  constructor(...args) {
    if (args.length === 0) super(now() + hour)
    else super(...args)
  }

  static now() {
    return now() + hour
  }
}
