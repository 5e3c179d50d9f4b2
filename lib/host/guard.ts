import type { ClientChannel } from 'ssh2'

import { heartbeat } from './connection.ts'
import { quote } from './quote.ts'

/** The environment variable that marks the processes of one channel: `<connection>.<channel>.<pid>`. */
export const channelVariable = 'HAUSMEISTER_CHANNEL'

/** Without a word from us for this long, the machine ends our commands by itself. Seconds. */
const deadline = (heartbeat * 4) / 1000

/** Milliseconds. */
const farewell = 1000

/**
 * Runs on the machine beside our commands and ends them when we say so, or when we are gone: sshd
 * itself does neither. It leaves commands without a terminal running when their client dies, and
 * does not notice a cut cable for hours.
 *
 * The mark holds the number of the channel's session (sshd gives each command one). A process that
 * bears the mark and is in another session is a daemon that a command started: it is left alone.
 */
const script = String.raw`
all=$1
# pid, parent and session of every process, one a line
processes() {
  local file line
  for file in /proc/[0-9]*/stat; do
    { read -r line < "$file"; } 2>/dev/null || continue
    set -- ${'$'}{line##*) }
    echo "${'$'}{line%% *} $2 $4"
  done
}
# sets list to the processes of these channels and their descendants
find_members() { # channel
  local found name pid more p pp s sessions=' '
  local table=$(processes)
  while IFS=: read -r found name; do
    pid=${'$'}{found#/proc/}; pid=${'$'}{pid%%/*}
    while read -r p pp s; do
      [ "$p" = "$pid" ] && [ "$s" = "${'$'}{name##*.}" ] && sessions="$sessions$s "
    done <<< "$table"
  done < <(grep -aosz "^${channelVariable}=$1[^ ]*" /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n')
  list=' '
  more=1
  while [ "$more" ]; do
    more=
    while read -r p pp s; do
      case $list in *" $p "*) continue;; esac
      case $sessions in *" $s "*) list="$list$p "; more=1; continue;; esac
      case $list in *" $pp "*) list="$list$p "; more=1;; esac
    done <<< "$table"
  done
  [ "$list" != ' ' ]
}
end() { # channel, signal
  find_members "$1" && kill -s "$2" $list 2>/dev/null
}
while read -r -t ${deadline} verb channel signal; do
  case $verb in
    end) end "$channel" "$signal";;
    bye) exit 0;;
  esac
done
end "$all" TERM
for try in 1 2 3 4 5 6 7 8 9 10; do
  find_members "$all" || exit 0
  sleep 0.5
done
end "$all" KILL
`

/** The command that starts the guard of the connection `id`, under `escalation` if one is given. */
export function guardLine(id: string, escalation: string): string {
  return `exec ${escalation} bash -c ${quote(script)} hausmeister-guard ${quote(`${id}.`)}`
}

/** Our end of a guard's channel. */
export class Guard {
  readonly #channel: ClientChannel
  readonly #beat: NodeJS.Timeout

  constructor(channel: ClientChannel) {
    this.#channel = channel
    this.#beat = setInterval(() => channel.write('beat\n'), heartbeat).unref()
    channel.resume()
    channel.stderr.resume()
    channel.on('error', () => {})
    channel.on('close', () => clearInterval(this.#beat))
  }

  /** @param channel a channel's mark up to its last dot */
  end(channel: string, signal: NodeJS.Signals): void {
    if (this.#channel.writable) this.#channel.write(`end ${channel} ${signal.replace('SIG', '')}\n`)
  }

  /** We leave in good order: what still runs was meant to. Resolves when the guard has gone, or does not answer. */
  async dismiss(): Promise<void> {
    clearInterval(this.#beat)
    if (!this.#channel.writable) return
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, farewell)
      this.#channel.once('close', () => {
        clearTimeout(late)
        resolve()
      })
      this.#channel.end('bye\n')
    })
  }
}
