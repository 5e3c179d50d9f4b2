import { execa } from 'execa'

export async function isInstalled(program: string): Promise<boolean> {
  const { failed } = await execa('sh', ['-c', 'command -v "$1"', 'sh', program], { reject: false })
  return !failed
}

/** What a program says of its version, on the first line of either stream; empty when it is not installed. */
export async function versionOf(program: string, flag: string): Promise<string> {
  if (!(await isInstalled(program))) return ''
  const { all } = await execa(program, [flag], { all: true, reject: false })
  return all.split('\n')[0] ?? ''
}
