import { Access, Host } from '../../../../lib/host/host.ts'
import { RecordedRun, type Script, ScriptedMachine } from '../../doubles.ts'

/** A host, as root, whose machine answers as the test says. */
export function hostNamed(name: string, script: Script = () => 0, run = new RecordedRun()): Host {
  return new Host(new Access(new ScriptedMachine(name, script), async () => undefined), run, 'root')
}
