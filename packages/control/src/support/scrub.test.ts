import { expect, test } from 'vitest'
import { scrub } from './scrub.ts'

test.each([
  ['token msk_abcdefghijklmnop0123 used', 'token msk_(secret) used'],
  ['--token mjt_csrzAaDoG9ID7mVMPWfAws7LQHR', '--token mjt_(secret)'],
  ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: Bearer (secret)'],
  ['postgres://user:hunter2@db/catalog', 'postgres://user:(secret)@db/catalog'],
  ['https://chat/robot?key=1234-5678&x=1', 'https://chat/robot?key=(secret)&x=1'],
  ['{"password": "hunter2","a":1}', '{"password": "(secret)","a":1}'],
  [
    String.raw`{"j":"{\"oldPassword\":\"hunter2\"}"}`,
    String.raw`{"j":"{\"oldPassword\":\"(secret)\"}"}`,
  ],
  ['-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----', '(secret)'],
])('takes the secret out of %j', (text, clean) => {
  expect(scrub(text)).toBe(clean)
})

test.each([
  'the pool pol_01M829JAC402Y918WMNSYSKJZ8 is at https://host:8730/api',
  '{"code":"POOL_PASSPHRASE_WRONG","message":"the passphrase opens no slot"}',
])('leaves %j as it is', (text) => {
  expect(scrub(text)).toBe(text)
})
