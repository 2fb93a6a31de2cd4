import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { describe, expect, test } from 'vitest'
import { parseRefusal, parseServerUrl } from './join.ts'
import { explainTlsError } from './server-identity.ts'

const url = new URL('https://maas.example.org:8731')

describe('the name of a server', () => {
  test.each([
    ['maas.example.org', 'https://maas.example.org:8731'],
    ['https://maas.example.org', 'https://maas.example.org:8731'],
    ['https://maas.example.org:443', 'https://maas.example.org'],
    ['https://10.0.0.1:9000/x', 'https://10.0.0.1:9000'],
    ['https://[fd00::1]', 'https://[fd00::1]:8731'],
  ])('%s is %s', (text, origin) => {
    expect(parseServerUrl(text).origin).toBe(origin)
  })

  test.each(['', 'http://maas', 'ftp://maas', '://', 'https://'])('%j is none', (text) => {
    try {
      expect(parseServerUrl(text)).toBe('refused')
    } catch (error) {
      expect(isMaasError(error, 'USAGE'), String(error)).toBe(true)
    }
  })
})

describe('a failure on the way to the server', () => {
  test.each([
    ['CERT_NOT_YET_VALID', 'HOST_CLOCK_WRONG'],
    ['CERT_HAS_EXPIRED', 'HOST_CLOCK_WRONG'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'SERVER_NOT_TRUSTED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'SERVER_NOT_TRUSTED'],
    ['ECONNREFUSED', 'CHANNEL_UNREACHABLE'],
    ['EPROTO', 'CHANNEL_UNREACHABLE'],
  ])('%s is %s', (code, expected) => {
    const error = explainTlsError(url, Object.assign(new Error('x'), { code }))
    expect(error.code).toBe(expected)
    expect(error.hint()).not.toBe('')
  })

  test('that is explained already stays as it is', () => {
    const known = new MaasError('SERVER_NOT_TRUSTED', 'x')
    expect(explainTlsError(url, known)).toBe(known)
  })

  test('in the words of a server of ours keeps its code; a stranger is called one', () => {
    const refusal = '{"code":"HOST_REMOVED","message":"m"}'
    expect(parseRefusal(refusal, 403)).toMatchObject({ code: 'HOST_REMOVED', message: 'm' })
    for (const text of ['<html>', '', '{}', '{"code":"toString","message":""}']) {
      expect(parseRefusal(text, 502).code).toBe('CHANNEL_PROTOCOL_VIOLATION')
    }
  })
})
