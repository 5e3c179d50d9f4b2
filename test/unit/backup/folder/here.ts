import { Access, Host } from '../../../../lib/host/host.ts'
import { LocalMachine } from '../../../../lib/host/local.ts'
import { RecordedRun } from '../../doubles.ts'

const machine = new LocalMachine('here')

/** This computer, as the user that runs the tests. */
export const here = new Host(new Access(machine, async () => undefined), new RecordedRun(), machine.loginUser)
