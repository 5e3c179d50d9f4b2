import type { Session, StepHandle } from '../task/session.ts'
import type { AppShell } from './app.ts'
import { withPatience } from './patience.ts'

/** Runs a command of the app as a step's work, and shows what it prints. */
export function runInApp(
  session: Session<unknown>,
  step: StepHandle,
  app: AppShell,
  command: string,
): Promise<void> {
  return withPatience(
    () => session.follow(step, app.change(command)),
    (why) => session.note(why),
  )
}
