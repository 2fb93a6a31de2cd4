/** Where a server listens or a client connects, and what security that needs. */
import { BlockList, isIP } from 'node:net'
import { MaasError } from '@openmaas/kernel/errors'
import { MaasError } from '@openmaas/kernel/errors'

export type NbdAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number }

const PORT_MAX = 65_535

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

/**
 * Parses what people type: `/path/to.sock`, `unix:/path`, `localhost:10809`, `[::1]:10809`.
 * @throws MaasError USAGE
 */
export function parseNbdAddress(text: string): NbdAddress {
  const socketPath = text.startsWith('unix:') ? text.slice('unix:'.length) : text
  const hostAndPort = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<name>[^:/[\]]+)):(?<port>\d{1,5})$/.exec(text)
  const groups = hostAndPort?.groups
  if (groups !== undefined) {
    const port = Number(groups['port'])
    if (port <= PORT_MAX) return { host: groups['v6'] ?? groups['name'] ?? '', port }
  } else if (socketPath.length > 0 && (socketPath !== text || text.includes('/'))) {
    return { socketPath }
  }
  throw new MaasError('USAGE', 'an NBD address is a socket path or host:port', { address: text })
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
  if (text.startsWith('unix:')) return { socketPath: text.slice(5) }
  if (text.startsWith('/')) return { socketPath: text }
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    const message = `"${text}" is neither unix:/path nor host:port`
    throw new MaasError('USAGE', message, { address: text })
  }
  return { host: (match[1] ?? match[2])!, port }
}
