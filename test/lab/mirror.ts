import { execa } from 'execa'

async function debianMirror(): Promise<string | undefined> {
  const format = '$(REPO_URI) $(COMPONENT) $(ORIGIN) $(LABEL)'
  const { stdout } = await execa('apt-get', ['indextargets', '--format', format])
  const line = stdout.split('\n').find((text) => text.endsWith(' main Debian Debian'))
  return line?.split(' ')[0]
}

/** The archive from which this machine's own apt installs Debian, so that no host name stands in our files. */
export async function findMirror(): Promise<string> {
  const given = process.env.LAB_MIRROR
  if (given) return given
  let found = await debianMirror()
  if (!found) {
    await execa('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-qq', 'update'])
    found = await debianMirror()
  }
  if (!found) {
    throw new Error(
      'apt on this machine knows no Debian archive (apt-get indextargets); set LAB_MIRROR to one',
    )
  }
  return found
}

/** The proxy settings of this machine's apt, each as a line of apt.conf. */
export async function aptProxies(): Promise<string[]> {
  const { stdout } = await execa('apt-config', ['dump', 'Acquire::http::Proxy', 'Acquire::https::Proxy'])
  return stdout.split('\n').filter((line) => line !== '' && !line.includes('""'))
}
