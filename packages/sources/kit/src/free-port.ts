/**
 * A port for a server that takes its number as a setting, and keeps it over restarts: not one of
 * those that the kernel gives to outgoing connections, or one of these has it when the server
 * comes back.
 */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'

/** Below are those of well-known services. */
const PORT_FIRST = 15_000
const PORT_LAST = 65_535
/** Of Linux, where it does not say: ip(7), ip_local_port_range. */
const OUTGOING_DEFAULT: PortRange = [32_768, 60_999]
/** Ports that are taken, on one of the addresses: a handful at most. */
export const PORT_ATTEMPTS_MAX = 64
/** A connection that has the port of a server ends, mostly at once. */
const PORT_WAIT_MS = 5000
const POLL_MS = 250

/** The first and the last. */
export type PortRange = readonly [number, number]

/**
 * One that is free on each of the addresses now. Somebody else may take it before the server
 * does: then the server says so, and the caller asks again.
 *
 * @throws MaasError PORT_TAKEN, CONFIG_INVALID
 */
export async function freePort(addresses: readonly string[]): Promise<number> {
  const [first, last] = rangeBeside(readOutgoing())
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(first, last + 1)
    if (await isPortFree(port, addresses)) return port
  }
  const message = `no port of ${first} to ${last} is free on all of ${addresses.join(', ')}`
  throw new MaasError('PORT_TAKEN', message, { addresses })
}

/** The larger part beside the range of outgoing connections; all of it where nothing is left. */
export function rangeBeside([low, high]: PortRange): PortRange {
  const below: PortRange = [PORT_FIRST, Math.min(low - 1, PORT_LAST)]
  const above: PortRange = [Math.max(high + 1, PORT_FIRST), PORT_LAST]
  const size = ([first, last]: PortRange): number => last - first + 1
  const best = size(below) >= size(above) ? below : above
  return size(best) >= PORT_ATTEMPTS_MAX ? best : [PORT_FIRST, PORT_LAST]
}

function readOutgoing(): PortRange {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1')
    const [low = NaN, high = NaN] = text.trim().split(/\s+/).map(Number)
    return low <= high ? [low, high] : OUTGOING_DEFAULT
  } catch {
    return OUTGOING_DEFAULT // No /proc of Linux: the usual range.
  }
}

export async function isPortFree(port: number, addresses: readonly string[]): Promise<boolean> {
  for (const address of addresses) if (!(await canListen(port, address))) return false
  return true
}

/** As isPortFree, of a port that is wanted: what has it for a moment is waited for. */
export async function waitForPort(port: number, addresses: readonly string[]): Promise<boolean> {
  const deadline = performance.now() + PORT_WAIT_MS
  for (;;) {
    if (await isPortFree(port, addresses)) return true
    if (performance.now() >= deadline) return false
    await delay(POLL_MS)
  }
}

/** @throws MaasError CONFIG_INVALID: not an address of this host */
async function canListen(port: number, address: string): Promise<boolean> {
  const server = createServer()
  try {
    return await new Promise<boolean>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') resolve(false)
        else reject(error)
      })
      const host = address === '*' ? '0.0.0.0' : address
      server.listen({ port, host, exclusive: true }, () => resolve(true))
    })
  } catch (error) {
    const message = `cannot listen on ${address}: it is no address of this host`
    throw new MaasError('CONFIG_INVALID', message, { address, port }, { cause: error })
  } finally {
    server.close()
  }
}
