import { type Call, ScriptedMachine } from '../doubles.ts'

/** A machine of files; `order` tells what was written, and which other commands changed something. */
export function appMachine(name: string, files: Map<string, string>, order: string[]): ScriptedMachine {
  return new ScriptedMachine(name, async (call: Call) => {
    const { script, say, input } = call
    const [, target = ''] = /(?:-- |\[ -e |test -e )([^\s)]+)/.exec(script) ?? []
    const there = files.get(target)
    if (script.includes('flock')) {
      say('held\n')
      await input()
    } else if (script.includes('cat > "$temporary"')) {
      order.push(`write ${target}`)
      files.set(target, await input())
    } else if (script.includes('rm -f')) files.delete(target)
    else if (script.includes('readlink -e')) say(there === undefined ? '' : target)
    else if (script.includes('cat --')) say(there === undefined ? '' : `there\n${there}`)
    else if (script.includes('stat')) say('600 shop shop 7:7')
    else if (script.includes('pm2 restart')) order.push('restart')
    // No pooler of systemd runs here.
    else if (script.includes('is-active')) return 3
    else if (script.includes('test -e') && there === undefined) return 1
    return 0
  })
}
