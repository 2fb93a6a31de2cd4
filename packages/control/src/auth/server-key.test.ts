import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { SeededRandom, systemRandom } from '@openmaas/kernel/random'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { loadSecretVault } from './secret-vault.ts'
import { loadServerKey, loadServerKeyCredential, ServerKey } from './server-key.ts'

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return error instanceof MaasError ? error.code : String(error)
  }
  return 'nothing thrown'
}

test('the key file is made once, for its owner only, and read again', () => {
  using site = new TemporaryDirectory()
  const path = site.join('data', 'secrets.key')
  const sealed = loadServerKey(path, systemRandom).seal('totp', 'usr_1', 'JBSWY3DP')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
  expect(loadServerKey(path, systemRandom).open('totp', 'usr_1', sealed)).toBe('JBSWY3DP')
})

test('a key file that others may read, or that is no key, is refused', () => {
  using site = new TemporaryDirectory()
  const path = site.join('secrets.key')
  loadServerKey(path, systemRandom)
  chmodSync(path, 0o640)
  expect(codeOf(() => loadServerKey(path, systemRandom))).toBe('SERVER_KEY_INVALID')
  chmodSync(path, 0o600)
  writeFileSync(path, 'short')
  expect(codeOf(() => loadServerKey(path, systemRandom))).toBe('SERVER_KEY_INVALID')
  expect(codeOf(() => loadSecretVault(path))).toBe('SERVER_KEY_INVALID')
})

test('a credential of systemd is read as it is given, and never made', () => {
  using site = new TemporaryDirectory()
  const path = site.join('server.key')
  expect(codeOf(() => loadServerKeyCredential(path, systemRandom))).toBe('SERVER_KEY_INVALID')
  const sealed = loadServerKey(path, systemRandom).seal('csrf', 'x', 'y')
  chmodSync(path, 0o440)
  expect(loadServerKeyCredential(path, systemRandom).open('csrf', 'x', sealed)).toBe('y')
})

test('a sealed value opens with its purpose, context and key only', () => {
  const random = new SeededRandom(1)
  const key = new ServerKey(random.bytes(32), random)
  const sealed = key.seal('totp', 'usr_1', '秘密 🔑')
  expect(key.open('totp', 'usr_1', sealed)).toBe('秘密 🔑')
  const other = new ServerKey(random.bytes(32), random)
  expect(codeOf(() => key.open('totp', 'usr_2', sealed))).toBe('SEALED_INVALID')
  expect(codeOf(() => key.open('webhook', 'usr_1', sealed))).toBe('SEALED_INVALID')
  expect(codeOf(() => other.open('totp', 'usr_1', sealed))).toBe('SEALED_INVALID')
  for (const broken of ['', 's1.', 's1.AAAA', sealed.slice(0, -4), `v1.${sealed.slice(3)}`]) {
    expect(codeOf(() => key.open('totp', 'usr_1', broken))).toBe('SEALED_INVALID')
  }
})

test('every changed byte of a sealed value is noticed', () => {
  const random = new SeededRandom(2)
  const key = new ServerKey(random.bytes(32), random)
  const bytes = Buffer.from(key.seal('channel', 'chn_1', 'x').slice(3), 'base64url')
  for (let i = 0; i < bytes.length; i += 1) {
    const changed = Buffer.from(bytes)
    changed[i]! ^= 1
    const sealed = `s1.${changed.toString('base64url')}`
    expect(codeOf(() => key.open('channel', 'chn_1', sealed))).toBe('SEALED_INVALID')
  }
})

test('the vault opens what was sealed for that secret, across restarts', () => {
  using site = new TemporaryDirectory()
  const path = site.join('vault.key')
  const first = loadSecretVault(path)
  const sealed = first.sealer.seal('sec_1', 'p@ss')
  expect(first.sealer.seal('sec_1', 'p@ss')).not.toBe(sealed)
  const second = loadSecretVault(path)
  expect(second.opener.open('sec_1', sealed)).toBe('p@ss')
  expect(codeOf(() => second.opener.open('sec_2', sealed))).toBe('SEALED_INVALID')
  using other = new TemporaryDirectory()
  const stranger = loadSecretVault(other.join('vault.key'))
  expect(codeOf(() => stranger.opener.open('sec_1', sealed))).toBe('SEALED_INVALID')
})

test('every changed byte of a secret is noticed, and so is what is none', () => {
  using site = new TemporaryDirectory()
  const { sealer, opener } = loadSecretVault(site.join('vault.key'))
  const bytes = Buffer.from(sealer.seal('sec_1', 'x').slice(3), 'base64url')
  for (let i = 0; i < bytes.length; i += 1) {
    const changed = Buffer.from(bytes)
    changed[i]! ^= 1
    const sealed = `v1.${changed.toString('base64url')}`
    expect(codeOf(() => opener.open('sec_1', sealed))).toBe('SEALED_INVALID')
  }
  for (const broken of ['', 'v1.', 'v1.AAAA', `v1.${'A'.repeat(100)}`]) {
    expect(codeOf(() => opener.open('sec_1', broken))).toBe('SEALED_INVALID')
  }
})

test('the sealing half holds no private key', () => {
  using site = new TemporaryDirectory()
  const { sealer } = loadSecretVault(site.join('vault.key'))
  const held = Reflect.ownKeys(sealer).map((key) => Reflect.get(sealer, key) as unknown)
  expect(held).toEqual([])
  expect('open' in sealer).toBe(false)
})
