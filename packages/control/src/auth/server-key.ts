/**
 * The server key: seals what the server itself must read again (TOTP secrets, webhook secrets,
 * channel configurations). A sealed text is bound to its purpose and to the row it stands in, so
 * it cannot be moved to another one.
 *
 *   s1.<base64url of nonce (12), ciphertext, tag (16)>
 *
 * AES-256-GCM; key = HKDF-SHA-256 of the server key with the purpose; AAD = purpose NUL context.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'
import { loadOrMakeSecretFile, readCredentialFile } from './secret-file.ts'

const KEY_SIZE = 32
const NONCE_SIZE = 12
const TAG_SIZE = 16
const PREFIX = 's1.'

export type SealPurpose = 'totp' | 'webhook' | 'channel' | 'setting' | 'csrf' | 'oidc' | 'cursor'

export class ServerKey {
  readonly #random: Random
  readonly #keys: (purpose: SealPurpose) => Buffer

  /** @param key 32 secret bytes */
  constructor(key: Buffer, random: Random) {
    assert(key.length === KEY_SIZE, 'a server key has 32 bytes')
    this.#random = random
    const made = new Map<SealPurpose, Buffer>()
    this.#keys = (purpose) => {
      const known = made.get(purpose)
      if (known !== undefined) return known
      const info = `openmaas server key ${purpose}`
      const fresh = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), info, KEY_SIZE))
      made.set(purpose, fresh)
      return fresh
    }
  }

  /** @param context id of the row that holds it */
  seal(purpose: SealPurpose, context: string, plain: string): string {
    const nonce = this.#random.bytes(NONCE_SIZE)
    const cipher = createCipheriv('aes-256-gcm', this.#keys(purpose), nonce)
    cipher.setAAD(Buffer.from(`${purpose}\0${context}`))
    const sealed = [nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return PREFIX + Buffer.concat(sealed).toString('base64url')
  }

  /** @throws MaasError SEALED_INVALID */
  open(purpose: SealPurpose, context: string, sealed: string): string {
    const fail = (cause?: unknown): never => {
      const message = 'a sealed value does not open'
      throw new MaasError('SEALED_INVALID', message, { purpose, context }, { cause })
    }
    if (!sealed.startsWith(PREFIX)) return fail()
    const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url')
    if (bytes.length < NONCE_SIZE + TAG_SIZE) return fail()
    const nonce = bytes.subarray(0, NONCE_SIZE)
    const options = { authTagLength: TAG_SIZE }
    const cipher = createDecipheriv('aes-256-gcm', this.#keys(purpose), nonce, options)
    cipher.setAAD(Buffer.from(`${purpose}\0${context}`))
    cipher.setAuthTag(bytes.subarray(-TAG_SIZE))
    const plain = cipher.update(bytes.subarray(NONCE_SIZE, -TAG_SIZE))
    try {
      cipher.final()
    } catch (error) {
      return fail(error)
    }
    return plain.toString('utf8')
  }

  /** A value that only this server can make of that text: 43 characters. */
  derive(purpose: SealPurpose, text: string): string {
    return createHmac('sha256', this.#keys(purpose)).update(text).digest('base64url')
  }
}

/**
 * Made at the first start, in a file of mode 0600.
 *
 * @throws MaasError SERVER_KEY_INVALID
 */
export function loadServerKey(path: string, random: Random): ServerKey {
  const make = () => `${random.bytes(KEY_SIZE).toString('hex')}\n`
  return parseServerKey(loadOrMakeSecretFile(path, make), path, random)
}

/**
 * @param path of a credential of systemd, 64 hex digits
 * @throws MaasError SERVER_KEY_INVALID
 */
export function loadServerKeyCredential(path: string, random: Random): ServerKey {
  return parseServerKey(readCredentialFile(path), path, random)
}

function parseServerKey(text: string, path: string, random: Random): ServerKey {
  if (!/^[0-9a-f]{64}\s*$/.test(text)) {
    throw new MaasError('SERVER_KEY_INVALID', 'the server key is not 64 hex digits', { path })
  }
  return new ServerKey(Buffer.from(text.trim(), 'hex'), random)
}
