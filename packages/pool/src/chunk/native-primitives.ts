/**
 * `Primitives` over the zstd and OpenSSL that stand in the Node binary itself, called by koffi:
 * contexts are reused, input is read and output written in place. Measured against the node:*
 * implementation: 10 KB zstd 269 : 121 MB/s, decompression 762 : 244, GCM of 64 KiB 9.7 : 1.5 GB/s.
 *
 * The bytes are the same. A Node that does not export the symbols (another build, another
 * platform) uses NodePrimitives; `makePrimitives` decides and proves the choice by a round trip.
 */
import { createRequire } from 'node:module'
import { assert } from '@openmaas/kernel/assert'
import { NodePrimitives } from './node-primitives.ts'
import { NONCE_SIZE, TAG_SIZE, ZSTD_LEVEL } from './primitives.ts'
import type { CipherOperation, Primitives } from './primitives.ts'

type NativeFunction = (...parameters: unknown[]) => unknown

interface NativeLibrary {
  func(prototype: string): NativeFunction
}

/** zstd reports errors as sizes near 2^64, which koffi gives as a bigint or a huge number. */
const ZSTD_ERROR_MIN = 2 ** 40
/** OpenSSL: EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG (openssl/evp.h). */
const CTRL_GET_TAG = 0x10
const CTRL_SET_TAG = 0x11
const SUCCESS = 1

function bind(library: NativeLibrary) {
  const evpInit = '(void*, void*, void*, const void*, const void*)'
  const evpUpdate = '(void*, void*, void*, const void*, int)'
  return {
    createCompressor: library.func('void* ZSTD_createCCtx()'),
    createDecompressor: library.func('void* ZSTD_createDCtx()'),
    compress: library.func(
      'size_t ZSTD_compressCCtx(void*, void*, size_t, const void*, size_t, int)',
    ),
    decompress: library.func(
      'size_t ZSTD_decompressDCtx(void*, void*, size_t, const void*, size_t)',
    ),
    newCipher: library.func('void* EVP_CIPHER_CTX_new()'),
    aes256Gcm: library.func('void* EVP_aes_256_gcm()'),
    control: library.func('int EVP_CIPHER_CTX_ctrl(void*, int, int, void*)'),
    encryptInit: library.func(`int EVP_EncryptInit_ex${evpInit}`),
    encryptUpdate: library.func(`int EVP_EncryptUpdate${evpUpdate}`),
    encryptFinal: library.func('int EVP_EncryptFinal_ex(void*, void*, void*)'),
    decryptInit: library.func(`int EVP_DecryptInit_ex${evpInit}`),
    decryptUpdate: library.func(`int EVP_DecryptUpdate${evpUpdate}`),
    decryptFinal: library.func('int EVP_DecryptFinal_ex(void*, void*, void*)'),
  }
}
type Bindings = ReturnType<typeof bind>

let bindings: Bindings | undefined

/** @throws Error of koffi when the running binary does not export a symbol */
function loadBindings(): Bindings {
  if (bindings !== undefined) return bindings
  const koffi = createRequire(import.meta.url)('koffi') as { load(path: null): NativeLibrary }
  bindings = bind(koffi.load(null))
  return bindings
}

export class NativePrimitives implements Primitives {
  readonly name = 'native'
  readonly #native = loadBindings()
  // Contexts live as long as the thread: they are never freed (about 1.4 MB together).
  readonly #compressor = this.#native.createCompressor()
  readonly #decompressor = this.#native.createDecompressor()
  readonly #encryptor = this.#native.newCipher()
  readonly #decryptor = this.#native.newCipher()
  /** Where OpenSSL puts the count of a step: an `int*`, cheaper than an array that koffi copies. */
  readonly #written = new Int32Array(1)
  readonly #final = Buffer.alloc(TAG_SIZE)
  #encryptKey: Buffer | undefined
  #decryptKey: Buffer | undefined

  constructor() {
    const cipher = this.#native.aes256Gcm()
    assert(this.#compressor !== null && this.#decompressor !== null, 'zstd gives contexts')
    assert(this.#encryptor !== null && this.#decryptor !== null, 'OpenSSL gives contexts')
    this.#expect(this.#native.encryptInit(this.#encryptor, cipher, null, null, null))
    this.#expect(this.#native.decryptInit(this.#decryptor, cipher, null, null, null))
  }

  compress(source: Buffer, target: Buffer): number {
    const { length } = target
    const size = Number(
      this.#native.compress(this.#compressor, target, length, source, source.length, ZSTD_LEVEL),
    )
    return size < ZSTD_ERROR_MIN ? size : 0
  }

  decompress(source: Buffer, target: Buffer): number {
    const { length } = target
    const size = Number(
      this.#native.decompress(this.#decompressor, target, length, source, source.length),
    )
    return size < ZSTD_ERROR_MIN ? size : -1
  }

  encrypt({ key, nonce, associatedData }: CipherOperation, source: Buffer, target: Buffer): void {
    assert(nonce.length === NONCE_SIZE, 'a nonce has 12 bytes')
    assert(target.length === source.length + TAG_SIZE, 'the target holds ciphertext and tag')
    const native = this.#native
    const context = this.#encryptor
    const newKey = key === this.#encryptKey ? null : key
    const written = this.#written
    this.#expect(native.encryptInit(context, null, null, newKey, nonce))
    this.#encryptKey = key
    const { length } = associatedData
    this.#expect(native.encryptUpdate(context, null, written, associatedData, length))
    this.#expect(native.encryptUpdate(context, target, written, source, source.length))
    assert(written[0] === source.length, 'GCM writes as many bytes as it reads')
    this.#expect(native.encryptFinal(context, this.#final, written))
    const tag = target.subarray(source.length)
    this.#expect(native.control(context, CTRL_GET_TAG, TAG_SIZE, tag))
  }

  decrypt(
    { key, nonce, associatedData }: CipherOperation,
    source: Buffer,
    target: Buffer,
  ): boolean {
    const size = source.length - TAG_SIZE
    assert(nonce.length === NONCE_SIZE, 'a nonce has 12 bytes')
    assert(size > 0 && target.length === size, 'the target holds the plain bytes')
    const native = this.#native
    const context = this.#decryptor
    const newKey = key === this.#decryptKey ? null : key
    const written = this.#written
    this.#expect(native.decryptInit(context, null, null, newKey, nonce))
    this.#decryptKey = key
    const { length } = associatedData
    this.#expect(native.decryptUpdate(context, null, written, associatedData, length))
    this.#expect(native.decryptUpdate(context, target, written, source, size))
    assert(written[0] === size, 'GCM writes as many bytes as it reads')
    this.#expect(native.control(context, CTRL_SET_TAG, TAG_SIZE, source.subarray(size)))
    return native.decryptFinal(context, this.#final, written) === SUCCESS
  }

  #expect(result: unknown): void {
    assert(result === SUCCESS, 'OpenSSL accepts a call with valid arguments')
  }
}

let chosen: Primitives | undefined

/**
 * The fastest primitives this process has: one object per thread, shared by all who ask, because
 * native contexts are never freed. Every call is complete in itself, so sharing is safe.
 *
 * A native binding is used only after it has read what the portable one wrote, and the other way
 * round: a wrong guess about an ABI must end here and not in a pack.
 */
export function makePrimitives(): Primitives {
  chosen ??= choose()
  return chosen
}

function choose(): Primitives {
  const portable = new NodePrimitives()
  let native: NativePrimitives
  try {
    native = new NativePrimitives()
  } catch (error) {
    // Only "no such symbol" and "no such module" come here; the portable path is equivalent.
    if (error instanceof Error && error.name !== 'AssertionFailure') return portable
    throw error
  }
  assert(agree(native, portable) && agree(portable, native), 'native and portable codecs agree')
  return native
}

function agree(writer: Primitives, reader: Primitives): boolean {
  const raw = Buffer.alloc(1000, 'a chunk that compresses well, ')
  const frame = Buffer.alloc(raw.length)
  const length = writer.compress(raw, frame)
  const operation = {
    key: Buffer.alloc(32, 1),
    nonce: Buffer.alloc(NONCE_SIZE, 2),
    associatedData: Buffer.from('associated'),
  }
  const sealed = Buffer.alloc(length + TAG_SIZE)
  writer.encrypt(operation, frame.subarray(0, length), sealed)
  const opened = Buffer.alloc(length)
  const back = Buffer.alloc(raw.length)
  if (!reader.decrypt(operation, sealed, opened)) return false
  return reader.decompress(opened, back) === raw.length && back.equals(raw)
}
