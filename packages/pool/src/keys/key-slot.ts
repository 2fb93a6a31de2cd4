/**
 * A key slot: the master key of a pool, wrapped by a key made from a passphrase
 * (docs/formats/keys.md, "Key slot"). Pure values; files are key-slot-store's.
 */
import { argon2, argon2Sync, createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { isId } from '@openmaas/kernel/ids'
import type { Clock } from '@openmaas/kernel/clock'
import type { PoolId } from '@openmaas/kernel/ids'
import type { Random } from '@openmaas/kernel/random'
import { canonicalJson } from './canonical-json.ts'
import { MASTER_KEY_SIZE } from './key-ring.ts'

/** About 50 ms and 32 MiB per guess. */
const KDF = { name: 'argon2id', memoryKiB: 32 * 1024, passes: 2, parallelism: 1 } as const

/** What a slot file may ask of the machine that opens it. */
const KDF_MEMORY_KIB_MAX = 1024 * 1024
const KDF_PASSES_MAX = 16
const KDF_PARALLELISM_MAX = 16

const FORMAT = 1
const SALT_SIZE = 16
const NONCE_SIZE = 12
const TAG_SIZE = 16

interface SlotKdf {
  readonly name: 'argon2id'
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
  /** Hex. */
  readonly salt: string
}

/** A type, not an interface: it is given to canonicalJson as a JSON value. */
export type KeySlot = {
  readonly format: 1
  readonly slot: string
  readonly poolId: PoolId
  /** RFC 3339 UTC. */
  readonly createdAt: string
  readonly kdf: SlotKdf & { readonly [key: string]: string | number }
  readonly cipher: 'aes-256-gcm'
  /** Hex. */
  readonly nonce: string
  /** Hex: ciphertext and tag. */
  readonly wrapped: string
}

/** 1–32 characters: it is a file name on every brick. */
export function isSlotName(name: string): boolean {
  return /^[a-z0-9-]{1,32}$/.test(name)
}

/** Wraps the master key for a passphrase. Takes about 50 ms. */
export function sealKeySlot(options: {
  readonly slot: string
  readonly poolId: PoolId
  readonly masterKey: Buffer
  readonly passphrase: string
  readonly random: Random
  readonly clock: Clock
}): KeySlot {
  const { slot, poolId, masterKey, passphrase, random, clock } = options
  assert(isSlotName(slot), 'the caller checked the name of the slot')
  assert(masterKey.length === MASTER_KEY_SIZE, 'a master key has 32 bytes')
  const open = {
    format: FORMAT,
    slot,
    poolId,
    createdAt: new Date(clock.wallMs()).toISOString(),
    kdf: { ...KDF, salt: random.bytes(SALT_SIZE).toString('hex') },
    cipher: 'aes-256-gcm',
    nonce: random.bytes(NONCE_SIZE).toString('hex'),
  } as const
  const key = wrappingKey(passphrase, open.kdf)
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.from(open.nonce, 'hex'))
  cipher.setAAD(Buffer.from(canonicalJson(open)))
  const sealed = Buffer.concat([cipher.update(masterKey), cipher.final(), cipher.getAuthTag()])
  return { ...open, wrapped: sealed.toString('hex') }
}

/** @returns the master key, or undefined when the passphrase is not this slot's */
export function openKeySlot(keySlot: KeySlot, passphrase: string): Buffer | undefined {
  return unwrap(keySlot, wrappingKey(passphrase, keySlot.kdf))
}

/** As `openKeySlot`, while this thread goes on: the passphrase is stretched in another one. */
export async function openKeySlotAside(
  keySlot: KeySlot,
  passphrase: string,
): Promise<Buffer | undefined> {
  const key = await new Promise<Buffer>((resolve, reject) => {
    argon2(KDF.name, kdfParameters(passphrase, keySlot.kdf), (error, made) => {
      if (error === null) resolve(made)
      else reject(error)
    })
  })
  return unwrap(keySlot, key)
}

function unwrap(keySlot: KeySlot, key: Buffer): Buffer | undefined {
  const { wrapped, ...open } = keySlot
  const sealed = Buffer.from(wrapped, 'hex')
  const nonce = Buffer.from(keySlot.nonce, 'hex')
  const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_SIZE })
  cipher.setAAD(Buffer.from(canonicalJson(open)))
  cipher.setAuthTag(sealed.subarray(MASTER_KEY_SIZE))
  const masterKey = cipher.update(sealed.subarray(0, MASTER_KEY_SIZE))
  try {
    cipher.final()
    return masterKey
  } catch {
    // The only thing final() does here is to compare the tag.
    return undefined
  }
}

/** The bytes of the slot file. */
export function encodeKeySlot(keySlot: KeySlot): Buffer {
  const checksum = sha256(canonicalJson(keySlot))
  return Buffer.from(`${canonicalJson({ ...keySlot, checksum })}\n`)
}

/**
 * @param path for the error only
 * @throws MaasError POOL_KEY_SLOT_INVALID, POOL_FORMAT_UNSUPPORTED
 */
export function decodeKeySlot(bytes: Buffer, path: string): KeySlot {
  const fail = (reason: string): never => {
    throw new MaasError('POOL_KEY_SLOT_INVALID', `a key slot is damaged: ${reason}`, {
      path,
      reason,
    })
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return fail('not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null) return fail('not an object')
  const { checksum, ...rest } = parsed as Record<string, unknown>
  // Exactly the bytes that are written from it: no second spelling, no unknown white space.
  if (checksum !== sha256(bytesWithoutChecksum(bytes, checksum))) fail('checksum')
  if (rest['format'] !== FORMAT) {
    const format = String(rest['format'])
    throw new MaasError('POOL_FORMAT_UNSUPPORTED', 'unknown key slot format', { path, format })
  }
  return isKeySlot(rest) ? rest : fail('fields')
}

/** The text the checksum was made over: the member is cut out of the canonical file. */
function bytesWithoutChecksum(bytes: Buffer, checksum: unknown): string {
  return bytes
    .toString('utf8')
    .trimEnd()
    .replace(`"checksum":"${String(checksum)}",`, '')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function isHex(value: unknown, size: number): value is string {
  return typeof value === 'string' && value.length === 2 * size && /^[0-9a-f]*$/.test(value)
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max
}

function isKeySlot(value: Record<string, unknown>): value is KeySlot {
  const kdf = value['kdf'] as Record<string, unknown> | null
  return (
    typeof value['slot'] === 'string' &&
    isSlotName(value['slot']) &&
    typeof value['poolId'] === 'string' &&
    isId('pool', value['poolId']) &&
    typeof value['createdAt'] === 'string' &&
    value['cipher'] === 'aes-256-gcm' &&
    isHex(value['nonce'], NONCE_SIZE) &&
    isHex(value['wrapped'], MASTER_KEY_SIZE + TAG_SIZE) &&
    typeof kdf === 'object' &&
    kdf !== null &&
    kdf['name'] === 'argon2id' &&
    isCount(kdf['memoryKiB'], KDF_MEMORY_KIB_MAX) &&
    isCount(kdf['passes'], KDF_PASSES_MAX) &&
    isCount(kdf['parallelism'], KDF_PARALLELISM_MAX) &&
    isHex(kdf['salt'], SALT_SIZE)
  )
}

function wrappingKey(passphrase: string, kdf: SlotKdf): Buffer {
  return argon2Sync(KDF.name, kdfParameters(passphrase, kdf))
}

function kdfParameters(passphrase: string, kdf: SlotKdf) {
  return {
    // One spelling of each character, however the keyboard composed it.
    message: Buffer.from(passphrase.normalize('NFC')),
    nonce: Buffer.from(kdf.salt, 'hex'),
    memory: kdf.memoryKiB,
    passes: kdf.passes,
    parallelism: kdf.parallelism,
    tagLength: 32,
  }
}
