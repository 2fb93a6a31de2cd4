import { expect, test } from 'vitest'
import { explainConnectError } from './connect-error.ts'

const errorOf = (code: string, message = ''): Error => Object.assign(new Error(message), { code })

test.each([
  ['ECONNREFUSED', '', 'db1:5432', /nothing listens at db1:5432/],
  ['ENOTFOUND', '', 'db1:5432', /no machine of the name/],
  ['EHOSTUNREACH', '', 'db1:5432', /does not answer.*firewall/],
  ['', 'timeout expired', 'db1:5432', /does not answer.*firewall/],
  ['ENOENT', '', '/run/postgresql', /no server has the socket/],
  ['EACCES', '', '/run/postgresql', /may not be opened/],
  ['', 'The server does not support SSL connections', 'db1:5432', /speaks no TLS/],
  ['SELF_SIGNED_CERT_IN_CHAIN', '', 'db1:5432', /give its --ca-file/],
  ['HANDSHAKE_SSL_ERROR', 'self-signed certificate', 'db1:3306', /give its --ca-file/],
  ['HANDSHAKE_SSL_ERROR', 'certificate has expired', 'db1:3306', /has expired/],
  ['CERT_HAS_EXPIRED', '', 'db1:5432', /has expired/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'is not in the list', 'db1:5432', /another name: is not in/],
])('%s "%s" at %s is said in words', (code, message, place, words) => {
  expect(explainConnectError(errorOf(code, message), place)).toMatch(words)
})

test('what a server says itself stays as it is', () => {
  expect(explainConnectError(errorOf('28P01', 'password authentication failed'), 'a:1')).toBeNull()
})
