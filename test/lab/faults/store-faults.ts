/** What goes wrong between us and a store, on ports of the workstation. */
export const faults = [
  'full',
  'failing',
  'cut',
  'cut-once',
  'slow',
  'flipping',
  'short',
  'no-manifest',
  'stuck',
] as const
export type Fault = (typeof faults)[number]

export function portOf(fault: Fault): number {
  return 9100 + faults.indexOf(fault)
}

export function endpointOf(fault: Fault): string {
  return `http://127.0.0.1:${portOf(fault)}`
}
