import type { Host } from '../../host/host.ts'

/**
 * Who works in a folder: processes that have a file of it open or are in it, and those for whom it is mounted somewhere
 * else, as in a container. They go on with the folder that they have, whatever it is called by then.
 * @returns `nginx (pid 812, nginx.service)`
 */
export async function usersOf(host: Host, folder: string): Promise<string[]> {
  // Where the folder is on its file system: a mount of it in a container is told by that (proc_pid_mountinfo(5)).
  const { stdout } = await host.read`
    export LC_ALL=C FOLDER=${folder}
    open() {
      find /proc/[0-9]*/{cwd,root,fd} -maxdepth 1 -type l -printf '%h/%f\t%l\n' 2> /dev/null |
        awk -F '\t' '$2 == ENVIRON["FOLDER"] || index($2, ENVIRON["FOLDER"] "/") == 1 { split($1, words, "/"); print words[3] }'
    }
    mounted() {
      read -r at within device < <(stat -c '%m' -- "$FOLDER" | while read -r mount; do
        awk -v mount="$mount" '$5 == mount { found = $5 " " $4 " " $3 } END { print found }' /proc/self/mountinfo
      done) || return 0
      export ROOT="\${within%/}\${FOLDER#"\${at%/}"}" DEVICE=$device
      find /proc/[0-9]*/ns/mnt -printf '%l %p\n' 2> /dev/null | sort -u -k 1,1 | while read -r _ link; do
        pid=\${link#/proc/}; pid=\${pid%%/*}
        if awk '$3 == ENVIRON["DEVICE"] && ($4 == ENVIRON["ROOT"] || index($4, ENVIRON["ROOT"] "/") == 1) { found = 1 } END { exit !found }' "/proc/$pid/mountinfo" 2> /dev/null
        then echo "$pid"; fi
      done
    }
    { open || true; mounted || true; } | sort -un | while read -r pid; do
      name=$(cat "/proc/$pid/comm" 2> /dev/null) || continue
      unit=$(sed -n 's|^0::.*/||p' "/proc/$pid/cgroup" 2> /dev/null) || true
      printf '%s (pid %s%s)\n' "$name" "$pid" "\${unit:+, $unit}"
    done`
  return stdout.split('\n').filter((line) => line !== '')
}
