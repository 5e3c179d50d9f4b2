/**
 * A script for `sh -c` that runs the command in `$1`, and ends it when its stdin ends.
 *
 * A process in a container is no child of the `docker` or `podman` that started it: when that client
 * dies, of a signal or with our connection, it runs on (tried: compose run and exec, TERM and KILL).
 * What does end with the client is the container's stdin, so the command is tied to that.
 */
export const leash = [
  `trap 'exit 143' TERM`,
  'exec 3<&0',
  '{ cat <&3 >/dev/null 2>&1; kill -TERM 0; } &',
  'watcher=$!',
  'sh -c "$1" </dev/null 3<&- &',
  'wait $!',
  'code=$?',
  'kill $watcher 2>/dev/null',
  'exit $code',
].join('\n')
