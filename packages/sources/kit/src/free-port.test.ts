import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { freePort, isPortFree, rangeBeside, waitForPort } from './free-port.ts'

const LOCAL = ['127.0.0.1']

test.each([
  [
    [32_768, 60_999],
    [15_000, 32_767],
  ],
  [
    [1024, 40_000],
    [40_001, 65_535],
  ],
  // Nothing is left beside them: any will do.
  [
    [1024, 65_535],
    [15_000, 65_535],
  ],
] as const)('beside outgoing connections of %j there is %j', (outgoing, expected) => {
  expect(rangeBeside(outgoing)).toEqual(expected)
})

test('a free port is none that the kernel gives to outgoing connections', async () => {
  const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1')
  const [low = 0, high = 0] = text.trim().split(/\s+/).map(Number)
  const [first, last] = rangeBeside([low, high])
  for (let i = 0; i < 20; i += 1) {
    const port = await freePort(LOCAL)
    expect(port).toBeGreaterThanOrEqual(first)
    expect(port).toBeLessThanOrEqual(last)
    expect(await isPortFree(port, LOCAL)).toBe(true)
  }
})

test('what has a port for a moment is waited for', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await isPortFree(port, LOCAL)).toBe(false)
  const waited = waitForPort(port, LOCAL)
  server.close()
  expect(await waited).toBe(true)
})

test('an address that is none of this host is told', async () => {
  await expect(freePort(['192.0.2.1'])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})
