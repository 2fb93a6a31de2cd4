/**
 * The C library through koffi, loaded when it is first needed: a command that only reads a pool
 * never pays for it (about 15 ms). A call costs 100–300 ns over the system call itself.
 *
 * Two conventions hold in the whole folder:
 * - a function with the name of a C function returns its result, or minus errno, as the kernel
 *   does; the caller branches on it or passes it through `checked`, which throws;
 * - calls whose failure is never an answer (close, fsync, ftruncate…) throw by themselves. Each
 *   says so.
 *
 * Names of files are Buffers, because they need not be UTF-8, and end in a NUL byte for C
 * (`cString`). A slice of a directory listing has its NUL behind the slice: it passes as it is.
 */
import { createRequire } from 'node:module'
import { arch, platform } from 'node:process'
import { assert } from '../assert.ts'
import { MaasError } from '../errors.ts'
import { errnoName, fsError } from '../fs-errors.ts'

type Koffi = typeof import('koffi')
type NativeFunction = (...values: never[]) => number

/** What a NUL-terminated name comes as. */
export type CString = Uint8Array

let koffi: Koffi | undefined
let library: ReturnType<Koffi['load']> | undefined
let available: boolean | undefined

/**
 * Loads koffi and the C library of this process.
 *
 * @throws MaasError PLATFORM_UNSUPPORTED
 */
function load(): ReturnType<Koffi['load']> {
  if (library !== undefined) return library
  try {
    // require, because an import of a native module cannot be both lazy and synchronous.
    koffi = createRequire(import.meta.url)('koffi') as Koffi
    library = koffi.load(null)
    return library
  } catch (cause) {
    const message = `system calls are not reachable on ${platform} ${arch}`
    throw new MaasError('PLATFORM_UNSUPPORTED', message, { platform, arch }, { cause })
  }
}

/** True on Linux x64 and arm64 with koffi's prebuilt library: then every call here works. */
export function posixAvailable(): boolean {
  if (available === undefined) {
    available = platform === 'linux' && (arch === 'x64' || arch === 'arm64') && bindable()
  }
  return available
}

function bindable(): boolean {
  try {
    // The newest of the calls used: absent from a C library that is too old.
    load().func('statx', 'int', ['int', 'void *', 'int', 'uint', 'void *'])
    return true
  } catch {
    return false
  }
}

/**
 * Binds a C function. Types are koffi's: `int`, `uint`, `long`, `ulong`, `size_t`, `int64`,
 * `void *` (a Buffer or null; passed by address, not copied).
 *
 * @throws MaasError PLATFORM_UNSUPPORTED
 */
export function bind<F extends NativeFunction>(name: string, result: string, values: string): F {
  const types = values === '' ? [] : values.split(', ')
  const loaded = load()
  try {
    return loaded.func(name, result, types) as unknown as F
  } catch (cause) {
    const message = `the C library of this machine has no ${name}`
    throw new MaasError('PLATFORM_UNSUPPORTED', message, { platform, arch, name }, { cause })
  }
}

/** Calls `make` at the first use and remembers what it made. */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}

/** The result of a C call, or minus errno when it is negative. Call it directly on the result. */
export function answer(result: number): number {
  if (result >= 0) return result
  const errno = koffi!.errno()
  assert(errno > 0, 'a failed call of the C library sets errno')
  return -errno
}

/** Address of the first byte of a buffer; stable, since array buffers never move. */
export function addressOf(bytes: Uint8Array): bigint {
  load()
  return koffi!.address(bytes)
}

/**
 * Passes a result that is not negative.
 *
 * @throws MaasError FS_* with details errno and path
 */
export function checked(result: number, call: string, path?: CString | string): number {
  if (result < 0) throw posixError(-result, call, path)
  return result
}

/** The error for a positive errno. */
export function posixError(errno: number, call: string, path?: CString | string): MaasError {
  const shown = path === undefined || typeof path === 'string' ? path : displayName(path)
  return fsError(errnoName(errno), call, shown)
}

/** A name as people see it: bytes that are not UTF-8 become U+FFFD; the NUL is left out. */
export function displayName(name: Uint8Array): string {
  const end = name.at(-1) === 0 ? name.length - 1 : name.length
  return Buffer.from(name.buffer, name.byteOffset, end).toString('utf8')
}

/** The name with a NUL byte behind it. A name that already ends in one is returned as it is. */
export function cString(name: string | Uint8Array): Buffer {
  if (typeof name === 'string') return Buffer.from(`${name}\0`, 'utf8')
  if (name.at(-1) === 0) return Buffer.from(name.buffer, name.byteOffset, name.length)
  const result = Buffer.alloc(name.length + 1)
  result.set(name)
  return result
}
