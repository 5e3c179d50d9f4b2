/** Says its own number, gives what it is to give, and ends the process group when there is no more to come. */
const feeder = [
  'echo $$',
  'case $1 in all) cat ;; 0) ;; *) head -c "$1" ;; esac',
  'exec >/dev/null 2>&1',
  'cat',
  'kill -TERM 0',
].join('\n')

/**
 * A script for `sh -c` that runs the command in `$1`, and ends it when its own stdin ends. Of that stdin the command is
 * given as many bytes as `$2` says, or `all`: then its end is the command's, too. Without `$2` it is given none.
 *
 * A process in a container is no child of the `docker` or `podman` that started it: when that client
 * dies, of a signal or with our connection, it runs on (tried: compose run and exec, TERM and KILL).
 * What does end with the client is the container's stdin, so the command is tied to that.
 */
export const leash = [
  `trap 'exit 143' TERM`,
  'exec 3<&0',
  // A pipeline's last number is all that a shell tells of it, so that of the feeder comes through the pipe.
  `sh -c '${feeder}' leash "\${2-0}" <&3 3<&- | {`,
  '  read -r feeder',
  '  sh -c "$1"',
  '  code=$?',
  '  kill "$feeder" 2>/dev/null',
  '  exit $code',
  '} 3<&- &',
  // dash says there that the feeder was ended.
  'wait $! 2>/dev/null',
].join('\n')
