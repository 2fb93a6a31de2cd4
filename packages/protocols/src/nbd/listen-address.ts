/** Where a server listens or a client connects, and what security that needs. */
import { BlockList, isIP } from 'node:net'
import { MaasError } from '@openmaas/kernel/errors'

export type NbdAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number }

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * True when nobody outside this machine can reach the address. A name is not resolved: only
 * `localhost` counts, since any other may point elsewhere tomorrow.
 */
export function isLocal(address: NbdAddress): boolean {
  if ('socketPath' in address) return true
  const family = isIP(address.host)
  if (family === 0) return address.host === 'localhost'
  return loopback.check(address.host, family === 4 ? 'ipv4' : 'ipv6')
}

export function formatAddress(address: NbdAddress): string {
  if ('socketPath' in address) return `unix:${address.socketPath}`
  return isIP(address.host) === 6
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`
}

/**
 * Reads `unix:/path`, `/path`, `host:port` and `[::1]:port`.
 *
 * @throws MaasError USAGE
 */
export function parseNbdAddress(text: string): NbdAddress {
  const socketPath = text.replace(/^unix:/, '')
  if (socketPath.startsWith('/') || (socketPath !== text && socketPath !== '')) {
    return { socketPath }
  }
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    const message = `"${text}" is neither unix:/path nor host:port`
    throw new MaasError('USAGE', message, { address: text })
  }
  return { host: (match[1] ?? match[2])!, port }
}
