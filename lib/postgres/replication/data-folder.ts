import { assertProof, type Proof } from '../../task/confirm.ts'
import type { InstancePlace } from './instance-place.ts'

/** How much the present data takes up. */
export async function dataBytes({ host, data }: InstancePlace): Promise<number> {
  const { stdout } = await host.as('postgres')
    .read`du -sb -- ${data} ${data}.rewinding 2>/dev/null | cut -f 1 || true`
  return stdout
    .split('\n')
    .map(Number)
    .reduce((sum, bytes) => sum + bytes, 0)
}

/** @param proof the operator's word for losing what this machine has */
export async function removeData({ host, data }: InstancePlace, proof: Proof): Promise<void> {
  assertProof(proof, host.name)
  await host.as('postgres').change`rm -rf -- ${data} ${data}.rewinding`
}

/** Where data goes that is not this cluster's. */
export function asideOf({ data }: InstancePlace, now: Date): string {
  return `${data}.${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
}

/** The finished copy takes its place. @param aside where data of another cluster goes */
export async function placeData({ host, data }: InstancePlace, aside: string | undefined): Promise<void> {
  const parent = data.slice(0, data.lastIndexOf('/'))
  const move = aside === undefined ? [':'] : ['mv', '-T', '--', data, aside]
  await host.as('postgres').change`
    test -e ${data}.building/standby.signal
    ${move}
    if [ -d ${data} ]; then rmdir -- ${data}; fi
    mv -T -- ${data}.building ${data}
    sync -- ${parent}`
}
