import { expect, test } from 'vitest'
import { formatAddress, isLocal, parseNbdAddress } from './listen-address.ts'

test.each([
  ['/run/a.sock', { socketPath: '/run/a.sock' }, 'unix:/run/a.sock'],
  ['unix:a.sock', { socketPath: 'a.sock' }, 'unix:a.sock'],
  ['localhost:10809', { host: 'localhost', port: 10_809 }, 'localhost:10809'],
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }, '127.0.0.1:0'],
  ['[::1]:10809', { host: '::1', port: 10_809 }, '[::1]:10809'],
])('%s is an address', (text, address, formatted) => {
  expect(parseNbdAddress(text)).toEqual(address)
  expect(formatAddress(address)).toBe(formatted)
})

test.each(['', 'unix:', 'host', 'host:', 'host:65536', ':1', '::1:10809', 'a.sock'])(
  '"%s" is not an address',
  (text) => {
    expect(() => parseNbdAddress(text)).toThrowError(expect.objectContaining({ code: 'USAGE' }))
  },
)

test('only a unix socket and loopback are local', () => {
  const local = ['/a', '127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1']
  for (const text of local) expect(isLocal(parseNbdAddress(text)), text).toBe(true)
  const open = ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', '[fe80::1]:1', 'example.org:1', '128.0.0.1:1']
  for (const text of open) expect(isLocal(parseNbdAddress(text)), text).toBe(false)
})
