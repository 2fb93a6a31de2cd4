/** A port for a server that takes its number as a setting. */
import { createServer } from 'node:net'
import { MaasError } from '@openmaas/kernel/errors'

/**
 * One that is free on each of the addresses now. Somebody else may take it before the server
 * does: then the server says so, and the caller asks again (PORT_ATTEMPTS_MAX).
 */
export async function freePort(addresses: readonly string[]): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt += 1) {
    const port = await listenOnce(0, addresses[0] ?? '127.0.0.1')
    if (port !== null && (await isPortFree(port, addresses.slice(1)))) return port
  }
  const message = `no port is free on all of ${addresses.join(', ')}`
  throw new MaasError('PORT_TAKEN', message, { addresses })
}

/** Ports that are free on the first address and not on another: a handful at most. */
export const PORT_ATTEMPTS_MAX = 16

export async function isPortFree(port: number, addresses: readonly string[]): Promise<boolean> {
  for (const address of addresses) if ((await listenOnce(port, address)) === null) return false
  return true
}

/** @returns null when it is taken. @throws MaasError CONFIG_INVALID: not an address of this host */
async function listenOnce(port: number, address: string): Promise<number | null> {
  const server = createServer()
  try {
    return await new Promise<number | null>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') resolve(null)
        else reject(error)
      })
      const host = address === '*' ? '0.0.0.0' : address
      server.listen({ port, host, exclusive: true }, () => {
        const bound = server.address()
        resolve(bound !== null && typeof bound === 'object' ? bound.port : null)
      })
    })
  } catch (error) {
    const message = `cannot listen on ${address}: it is no address of this host`
    throw new MaasError('CONFIG_INVALID', message, { address, port }, { cause: error })
  } finally {
    server.close()
  }
}
