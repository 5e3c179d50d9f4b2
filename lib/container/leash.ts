import { quote } from '../host/quote.ts'

/**
 * Says its own number, gives what it is to give, and ends the process group when there is no more to come: asks it to,
 * and ten seconds later does not ask. HUP ends the feeder.
 */
const feeder = [
  `trap 'kill $! 2>/dev/null; wait; exit' HUP`,
  'trap : TERM',
  // What runs in the background has no stdin but one that it is given.
  'exec 3<&0',
  'echo $$',
  'case $1 in all) cat <&3 & ;; 0) ;; *) head -c "$1" <&3 & ;; esac',
  'wait',
  'exec >/dev/null 2>&1',
  'cat <&3 &',
  'wait',
  'kill -TERM 0',
  // Never at once: an image may have no sleep.
  'sleep 10 &',
  'wait $! && kill -KILL 0',
].join('\n')

/**
 * A script for `sh -c` that runs the command in `$1`, and ends it when its own stdin ends. Of that stdin the command is
 * given as many bytes as `$2` says, or `all`: then its end is the command's, too. Without `$2` it is given none.
 *
 * A process in a container is no child of the `docker` or `podman` that started it: when that client
 * dies, of a signal or with our connection, it runs on (tried: compose run and exec, TERM and KILL).
 * What does end with the client is the container's stdin, so the command is tied to that.
 *
 * Its shells outlive what they have started, and end with a number and by no signal. The parent of a process whose own
 * has ended is the container's first one, and where that is a PostgreSQL server, it takes the death of any child by a
 * signal for a crash of its own, and throws everybody out (seen). Only a command that does not end when it is asked to
 * costs that much; PostgreSQL's own programs do end.
 */
export const leash = [
  'trap : TERM',
  // A pipeline's last number is all that a shell tells of it, so that of the feeder comes through the pipe.
  `sh -c ${quote(feeder)} leash "\${2-0}" | {`,
  '  trap : TERM',
  '  read -r feeder',
  '  sh -c "$1"',
  '  code=$?',
  '  kill -HUP "$feeder" 2>/dev/null',
  '  exit $code',
  '}',
].join('\n')
