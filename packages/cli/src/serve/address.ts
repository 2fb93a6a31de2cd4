/** `host:port` as a setting: where a port of the server listens, or is reached. */
import { isIP } from 'node:net'
import type { Setting } from '@openmaas/kernel/config'

export interface Address {
  readonly host: string
  /** 0 lets the system choose one. */
  readonly port: number
}

/** `127.0.0.1:8730`, `[::1]:8730`, `:8730` for every address of the machine. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]\s]*)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, six, name = '', digits] = match
  const port = Number(digits)
  if (port > 65_535 || (six !== undefined && isIP(six) !== 6)) return undefined
  return { host: six ?? (name === '' ? '0.0.0.0' : name), port }
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function address(initial: string): Setting<Address> {
  return {
    initial: parseAddress(initial)!,
    parse: parseAddress,
    wants: 'an address and a port, such as 127.0.0.1:8730',
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
