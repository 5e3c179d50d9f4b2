import { isIP } from 'node:net'

import ipaddr from 'ipaddr.js'

/** A network read from its CIDR text. */
export interface Network {
  /** The text with all host bits cleared. */
  network: string
  /** False for 10.0.0.5/24, which PostgreSQL and firewalls refuse or read in different ways. */
  isNetwork: boolean
  contains: (address: string) => boolean
}

/** Undefined when `text` is not an address, a slash and a prefix length that fits. */
export function parseCidr(text: string): Network | undefined {
  const [address = '', prefix = ''] = text.split('/', 2)
  // net.isIP first: ipaddr.js also reads "10" and "0x0a.1", which nobody means in an inventory.
  const family = isIP(address)
  if (family === 0 || address.includes('%') || `${address}/${prefix}` !== text) return undefined
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) return undefined

  const range = ipaddr.parseCIDR(text)
  const network =
    family === 4 ? ipaddr.IPv4.networkAddressFromCIDR(text) : ipaddr.IPv6.networkAddressFromCIDR(text)
  return {
    network: `${network.toString()}/${prefix}`,
    isNetwork: network.toNormalizedString() === ipaddr.parse(address).toNormalizedString(),
    contains: (other) => {
      if (isIP(other) === 0) return false
      const parsed = ipaddr.parse(other)
      return parsed.kind() === range[0].kind() && parsed.match(range)
    },
  }
}

/** One spelling for each address, so that 2001:db8::1 and 2001:DB8:0::1 compare equal. */
export function canonicalAddress(address: string): string {
  return isIP(address) === 0 ? address : ipaddr.parse(address).toNormalizedString()
}
