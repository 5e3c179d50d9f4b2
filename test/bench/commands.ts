/** What is asked of each host, in this order, in every way; `× 1` is the first one alone. */
export const commands: readonly (readonly string[])[] = [
  ['hostname'],
  ['id', '-un'],
  ['uname', '-r'],
  ['cat', '/etc/debian_version'],
  ['cat', '/proc/loadavg'],
  ['df', '-P', '/'],
  ['systemctl', 'is-active', 'dbus'],
  ['stat', '-c', '%y', '/etc/hostname'],
  ['ls', '/etc/ssh'],
  ['date', '+%s'],
]
