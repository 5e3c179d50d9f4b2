import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { execa } from 'execa'

import { labGroup } from './cgroup.ts'
import type { Lab } from './lab.ts'

/**
 * Reads what `ps` reads, 50 times a second, until a file is there, or for five minutes when its test was killed.
 * Then prints each command line that it saw, once.
 */
const sampler = String.raw`
my ($stop, $group) = @ARGV;
my %seen;
my $end = time + 300;
do {
  my @pids = map { s/\D//gr } glob '/proc/[0-9]*';
  if ($group) {
    @pids = ();
    # There from the first command on.
    if (open my $file, '<', $group) { chomp(@pids = <$file>) }
  }
  for my $pid (@pids) {
    open my $file, '<', "/proc/$pid/cmdline" or next;
    local $/;
    my $line = <$file> // next;
    $seen{$line =~ tr/\0/ /r} = 1;
  }
  if (! -e "$stop.on") { open my $file, '>', "$stop.on" }
  select undef, undef, undef, 0.02;
} until -e $stop or time > $end;
unlink $stop, "$stop.on";
print "$_\n" for sort keys %seen;
`

/** All command lines on one machine since the watch began. */
export interface Watch {
  stop(): Promise<string>
}

/** Begins when the first sample is taken. */
export async function watchHost(lab: Lab, host: string): Promise<Watch> {
  const stop = '/run/lab-watch'
  const script = `cat > ${stop}.pl; rm -f ${stop} ${stop}.on; exec perl ${stop}.pl ${stop}`
  const running = lab.sh(host, script, { input: sampler })
  await lab.sh(host, `until [ -e ${stop}.on ]; do sleep 0.05; done`)
  return {
    stop: async () => {
      await lab.sh(host, `touch ${stop}`)
      return (await running).stdout
    },
  }
}

/** What runs on the operator's workstation, and none of what else runs on this machine. */
export async function watchController(lab: Lab): Promise<Watch> {
  const folder = await mkdtemp(join(tmpdir(), 'hausmeister-watch-'))
  const stop = join(folder, 'stop')
  const group = join(labGroup(lab.place), 'controller', 'cgroup.procs')
  const running = execa('perl', ['-e', sampler, stop, group])
  const begun = async () => {
    while (!existsSync(`${stop}.on`)) await pause(20)
  }
  await Promise.race([begun(), running])
  return {
    stop: async () => {
      await writeFile(stop, '')
      const { stdout } = await running
      await rm(folder, { recursive: true })
      return stdout
    },
  }
}
