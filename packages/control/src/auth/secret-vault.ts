/**
 * Secrets of protected systems (passwords of databases, keys of pools). Handlers of HTTP hold the
 * sealing half only; the opening half is given to the job side by the composition root.
 *
 *   v1.<base64url of ephemeral X25519 public key (32), ciphertext, tag (16)>
 *
 * Shared secret = X25519(ephemeral, vault); key = HKDF-SHA-256 of it, salted with both public
 * keys; AES-256-GCM with a zero nonce, since the key is used once; AAD = id of the secret.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { MaasError } from '@openmaas/kernel/errors'
import { loadOrMakeSecretFile } from './secret-file.ts'

const PREFIX = 'v1.'
const POINT_SIZE = 32
const KEY_SIZE = 32
const TAG_SIZE = 16
const NONCE = Buffer.alloc(12)

/** Can put secrets in, and never get one out. */
export class SecretSealer {
  readonly #vault: KeyObject

  constructor(vault: KeyObject) {
    this.#vault = vault
  }

  seal(secretId: string, plain: string): string {
    const ephemeral = generateKeyPairSync('x25519')
    const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: this.#vault })
    const point = rawOf(ephemeral.publicKey)
    const key = keyOf(shared, point, rawOf(this.#vault))
    const cipher = createCipheriv('aes-256-gcm', key, NONCE)
    cipher.setAAD(Buffer.from(secretId))
    const sealed = [point, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return PREFIX + Buffer.concat(sealed).toString('base64url')
  }
}

/** For jobs: opens what a sealer sealed. */
export class SecretOpener {
  readonly #private: KeyObject
  readonly #vault: Buffer

  constructor(privateKey: KeyObject) {
    this.#private = privateKey
    this.#vault = rawOf(createPublicKey(privateKey))
  }

  /** @throws MaasError SEALED_INVALID */
  open(secretId: string, sealed: string): string {
    try {
      return this.#open(secretId, sealed)
    } catch (cause) {
      throw new MaasError('SEALED_INVALID', 'a secret does not open', { secretId }, { cause })
    }
  }

  #open(secretId: string, sealed: string): string {
    const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url')
    if (!sealed.startsWith(PREFIX) || bytes.length < POINT_SIZE + TAG_SIZE) {
      throw new RangeError('not a sealed secret')
    }
    const point = bytes.subarray(0, POINT_SIZE)
    const publicKey = createPublicKey({
      key: { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') },
      format: 'jwk',
    })
    const shared = diffieHellman({ privateKey: this.#private, publicKey })
    const key = keyOf(shared, point, this.#vault)
    const cipher = createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_SIZE })
    cipher.setAAD(Buffer.from(secretId))
    cipher.setAuthTag(bytes.subarray(-TAG_SIZE))
    const plain = cipher.update(bytes.subarray(POINT_SIZE, -TAG_SIZE))
    return Buffer.concat([plain, cipher.final()]).toString('utf8')
  }
}

export interface SecretVault {
  readonly sealer: SecretSealer
  readonly opener: SecretOpener
}

/**
 * Made at the first start, PKCS #8 in a file of mode 0600.
 *
 * @throws MaasError SERVER_KEY_INVALID
 */
export function loadSecretVault(path: string): SecretVault {
  const text = loadOrMakeSecretFile(path, () => {
    const { privateKey } = generateKeyPairSync('x25519')
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  })
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(text)
  } catch (cause) {
    throw new MaasError('SERVER_KEY_INVALID', 'the key of the vault is no key', { path }, { cause })
  }
  if (privateKey.asymmetricKeyType !== 'x25519') {
    throw new MaasError('SERVER_KEY_INVALID', 'the key of the vault is not X25519', { path })
  }
  return {
    sealer: new SecretSealer(createPublicKey(privateKey)),
    opener: new SecretOpener(privateKey),
  }
}

function keyOf(shared: Buffer, ephemeral: Buffer, vault: Buffer): Buffer {
  const salt = Buffer.concat([ephemeral, vault])
  return Buffer.from(hkdfSync('sha256', shared, salt, 'openmaas vault', KEY_SIZE))
}

function rawOf(publicKey: KeyObject): Buffer {
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
}
