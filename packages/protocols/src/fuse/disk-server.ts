/**
 * A FUSE file system with one file, `disk`, whose content is a BlockDevice: what a loop device
 * is put on where the kernel has neither nbd nor an iSCSI initiator.
 *
 *   /        node 1, a directory
 *   /disk    node 2, the device
 *
 * A state machine without I/O: `answer(request)` gives the reply to write back to /dev/fuse, or
 * nothing for messages that take none. FSYNC is the device's flush and is answered only when
 * that has returned; FALLOCATE (what a loop device makes of discard and write-zeroes) must read
 * back as zeros, so both become writeZeroes. A loop device over FUSE passes no FUA.
 *
 * The answers depend on the INIT negotiation only through the protocol minor, so a server that
 * takes over a connection after a crash needs no state of its predecessor: it asks the kernel
 * to send what was unanswered again (resendRequest).
 *
 * Protocol page: docs/protocols/fuse.md.
 */
import { endianness } from 'node:os'
import { assert } from '@openmaas/kernel/assert'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { ERROR_CATEGORIES, MaasError } from '@openmaas/kernel/errors'
import {
  encodeDirent,
  nodeOf,
  opcodeOf,
  readSafeU64,
  REPLY_HEADER_SIZE,
  REQUEST_HEADER_SIZE,
  sealReply,
  writeAttributes,
} from './codec.ts'
import * as c from './constants.ts'

export const DISK_NODE = 2
export const DISK_NAME = 'disk'
/** Of the attributes only the size ever changes, and then the kernel is told: forgetSize. */
const VALID_SECONDS = 3600n

export interface FuseDiskServerOptions {
  readonly waits?: boolean
  readonly onFailure: (error: unknown, operation: string) => void
}

export type Answer = Buffer | undefined | Promise<Buffer | undefined>

export class FuseDiskServer {
  readonly #device: BlockDevice
  /** One reply at a time is under construction on the synchronous path. */
  readonly #reply = Buffer.alloc(REPLY_HEADER_SIZE + c.FUSE_TRANSFER_MAX)
  readonly #waits: boolean
  readonly #onFailure: (error: unknown, operation: string) => void

  /**
   * @param options.waits true for a device whose read may return a promise: then each reply has
   *   a buffer of its own, and a request must stay untouched until its answer resolves
   * @param options.onFailure told of every device error; the kernel only learns the errno
   */
  constructor(device: BlockDevice, options: FuseDiskServerOptions) {
    assert(endianness() === 'LE', 'the FUSE codec is written for little-endian machines')
    this.#device = device
    this.#waits = options.waits ?? false
    this.#onFailure = options.onFailure
  }

  /**
   * @param request exactly one message, as one read of /dev/fuse gives it
   * @returns the reply; on the synchronous path it is valid until the next call
   * @throws MaasError FUSE_PROTOCOL_VIOLATION for what no kernel sends
   */
  answer(request: Buffer): Answer {
    if (request.length < REQUEST_HEADER_SIZE || request.readUInt32LE(0) !== request.length) {
      throw new MaasError('FUSE_PROTOCOL_VIOLATION', 'request length does not match its header', {
        length: request.length,
      })
    }
    switch (opcodeOf(request)) {
      case c.FUSE_READ:
        return this.#read(request)
      case c.FUSE_WRITE:
        return this.#write(request)
      case c.FUSE_FSYNC:
        return this.#perform(request, 'flush', () => this.#device.flush())
      case c.FUSE_FALLOCATE:
        return this.#fallocate(request)
      case c.FUSE_INIT:
        return this.#init(request)
      case c.FUSE_LOOKUP:
        return this.#lookup(request)
      case c.FUSE_GETATTR:
      case c.FUSE_SETATTR:
        return this.#attributes(request)
      case c.FUSE_OPEN:
      case c.FUSE_OPENDIR:
        return this.#open(request)
      case c.FUSE_READDIR:
        return this.#readDirectory(request)
      case c.FUSE_STATFS:
        return this.#statfs(request)
      case c.FUSE_RELEASE:
      case c.FUSE_RELEASEDIR:
      case c.FUSE_FLUSH:
      case c.FUSE_FSYNCDIR:
      case c.FUSE_ACCESS:
      case c.FUSE_DESTROY:
        return this.#done(request)
      case c.FUSE_FORGET:
      case c.FUSE_BATCH_FORGET:
      case c.FUSE_INTERRUPT: // The request it names is answered in its turn.
        return undefined
      default:
        return this.#fail(request, c.ENOSYS)
    }
  }

  #done(request: Buffer): Buffer {
    return sealReply(this.#reply, request, REPLY_HEADER_SIZE)
  }

  #fail(request: Buffer, errno: number): Buffer {
    return sealReply(this.#reply, request, REPLY_HEADER_SIZE, errno)
  }

  #init(request: Buffer): Buffer {
    const major = request.readUInt32LE(REQUEST_HEADER_SIZE)
    const minor = request.readUInt32LE(REQUEST_HEADER_SIZE + 4)
    if (major !== c.FUSE_KERNEL_VERSION || minor < c.FUSE_MINOR_MIN) {
      throw new MaasError('FUSE_PROTOCOL_VIOLATION', 'the kernel speaks another FUSE version', {
        major,
        minor,
      })
    }
    const offered = request.readUInt32LE(REQUEST_HEADER_SIZE + 12)
    const flags =
      c.FUSE_ASYNC_READ |
      c.FUSE_BIG_WRITES |
      c.FUSE_ASYNC_DIO |
      c.FUSE_PARALLEL_DIROPS |
      c.FUSE_MAX_PAGES |
      c.FUSE_INIT_EXT
    const out = this.#reply.fill(0, 0, REPLY_HEADER_SIZE + 64).subarray(REPLY_HEADER_SIZE)
    out.writeUInt32LE(c.FUSE_KERNEL_VERSION, 0)
    out.writeUInt32LE(Math.min(minor, c.FUSE_KERNEL_MINOR_VERSION), 4)
    out.writeUInt32LE(128 * 1024, 8) // max_readahead; a loop device with direct I/O has none.
    out.writeUInt32LE((flags & offered) >>> 0, 12)
    out.writeUInt16LE(64, 16) // max_background
    out.writeUInt16LE(48, 18) // congestion_threshold
    out.writeUInt32LE(c.FUSE_TRANSFER_MAX, 20) // max_write
    out.writeUInt32LE(1, 24) // time_gran, nanoseconds
    out.writeUInt16LE(c.FUSE_TRANSFER_MAX / 4096, 28) // max_pages
    out.writeUInt32LE(c.FUSE_HAS_RESEND_FLAGS2, 32)
    return sealReply(this.#reply, request, REPLY_HEADER_SIZE + 64)
  }

  #lookup(request: Buffer): Buffer {
    const name = request.toString('latin1', REQUEST_HEADER_SIZE, request.length - 1)
    if (nodeOf(request) !== c.FUSE_ROOT_ID || name !== DISK_NAME) {
      return this.#fail(request, c.ENOENT)
    }
    const out = this.#reply.fill(0, 0, REPLY_HEADER_SIZE + 128).subarray(REPLY_HEADER_SIZE)
    out.writeBigUInt64LE(BigInt(DISK_NODE), 0)
    out.writeBigUInt64LE(VALID_SECONDS, 16)
    out.writeBigUInt64LE(VALID_SECONDS, 24)
    this.#writeAttributes(out, 40, DISK_NODE)
    return sealReply(this.#reply, request, REPLY_HEADER_SIZE + 128)
  }

  /** SETATTR answers the unchanged attributes: the device has no size or mode to set. */
  #attributes(request: Buffer): Buffer {
    const node = nodeOf(request)
    if (node !== c.FUSE_ROOT_ID && node !== DISK_NODE) return this.#fail(request, c.ENOENT)
    const out = this.#reply.fill(0, 0, REPLY_HEADER_SIZE + 104).subarray(REPLY_HEADER_SIZE)
    out.writeBigUInt64LE(VALID_SECONDS, 0)
    this.#writeAttributes(out, 16, node)
    return sealReply(this.#reply, request, REPLY_HEADER_SIZE + 104)
  }

  #writeAttributes(out: Buffer, offset: number, node: number): void {
    const directory = node === c.FUSE_ROOT_ID
    const size = directory ? 4096 : this.#device.size
    writeAttributes(out, offset, { node, directory, size, readOnly: this.#device.readOnly })
  }

  #open(request: Buffer): Buffer {
    const out = this.#reply.fill(0, 0, REPLY_HEADER_SIZE + 16).subarray(REPLY_HEADER_SIZE)
    if (nodeOf(request) === DISK_NODE) {
      const accessMode = request.readUInt32LE(REQUEST_HEADER_SIZE) & 3 // O_ACCMODE
      if (this.#device.readOnly && accessMode !== 0) return this.#fail(request, c.EPERM)
      out.writeUInt32LE(c.FOPEN_KEEP_CACHE, 8)
    }
    return sealReply(this.#reply, request, REPLY_HEADER_SIZE + 16)
  }

  #readDirectory(request: Buffer): Buffer {
    const from = readSafeU64(request, REQUEST_HEADER_SIZE + 8)
    const room = request.readUInt32LE(REQUEST_HEADER_SIZE + 16)
    let length = REPLY_HEADER_SIZE
    const names: [number, string, number][] = [
      [c.FUSE_ROOT_ID, '.', c.DT_DIR],
      [c.FUSE_ROOT_ID, '..', c.DT_DIR],
      [DISK_NODE, DISK_NAME, c.DT_REG],
    ]
    for (const [index, [node, name, type]] of names.entries()) {
      if (index < from) continue
      const entry = encodeDirent(node, name, type, index + 1)
      if (length - REPLY_HEADER_SIZE + entry.length > room) break
      entry.copy(this.#reply, length)
      length += entry.length
    }
    return sealReply(this.#reply, request, length)
  }

  #statfs(request: Buffer): Buffer {
    const out = this.#reply.fill(0, 0, REPLY_HEADER_SIZE + 80).subarray(REPLY_HEADER_SIZE)
    out.writeBigUInt64LE(BigInt(Math.ceil(this.#device.size / 4096)), 0) // blocks
    out.writeUInt32LE(4096, 40) // bsize
    out.writeUInt32LE(255, 44) // namelen
    out.writeUInt32LE(4096, 48) // frsize
    return sealReply(this.#reply, request, REPLY_HEADER_SIZE + 80)
  }

  #read(request: Buffer): Answer {
    const offset = readSafeU64(request, REQUEST_HEADER_SIZE + 8)
    const asked = request.readUInt32LE(REQUEST_HEADER_SIZE + 16)
    if (nodeOf(request) !== DISK_NODE || asked > c.FUSE_TRANSFER_MAX) {
      return this.#fail(request, c.EINVAL)
    }
    const length = Math.max(0, Math.min(asked, this.#device.size - offset)) // Short at the end.
    const reply = this.#waits ? Buffer.alloc(REPLY_HEADER_SIZE + length) : this.#reply
    const target = reply.subarray(REPLY_HEADER_SIZE, REPLY_HEADER_SIZE + length)
    try {
      const waiting = this.#device.read(offset, target)
      if (waiting === undefined) return sealReply(reply, request, REPLY_HEADER_SIZE + length)
      assert(this.#waits, 'only a device announced as waiting returns a promise')
      return waiting.then(
        () => sealReply(reply, request, reply.length),
        (error: unknown) => Buffer.from(this.#deviceFailure(request, error, 'read')),
      )
    } catch (error) {
      return this.#deviceFailure(request, error, 'read')
    }
  }

  #write(request: Buffer): Answer {
    const offset = readSafeU64(request, REQUEST_HEADER_SIZE + 8)
    const length = request.readUInt32LE(REQUEST_HEADER_SIZE + 16)
    const start = REQUEST_HEADER_SIZE + 40
    if (nodeOf(request) !== DISK_NODE || start + length > request.length) {
      return this.#fail(request, c.EINVAL)
    }
    if (this.#device.readOnly) return this.#fail(request, c.EPERM)
    if (offset + length > this.#device.size) return this.#fail(request, c.EINVAL)
    const source = request.subarray(start, start + length)
    return this.#perform(request, 'write', () => this.#device.write(offset, source), length)
  }

  #fallocate(request: Buffer): Answer {
    const offset = readSafeU64(request, REQUEST_HEADER_SIZE + 8)
    const length = readSafeU64(request, REQUEST_HEADER_SIZE + 16)
    const mode = request.readUInt32LE(REQUEST_HEADER_SIZE + 24)
    if (nodeOf(request) !== DISK_NODE) return this.#fail(request, c.EINVAL)
    if (this.#device.readOnly) return this.#fail(request, c.EPERM)
    const zeroing = (mode & (c.FALLOC_FL_PUNCH_HOLE | c.FALLOC_FL_ZERO_RANGE)) !== 0
    if (!zeroing) return this.#fail(request, c.EOPNOTSUPP)
    const end = Math.min(offset + length, this.#device.size)
    if (offset >= end) return this.#done(request)
    return this.#perform(request, 'writeZeroes', () =>
      this.#device.writeZeroes(offset, end - offset),
    )
  }

  /** Runs one device operation; `written` is echoed for WRITE. */
  #perform(
    request: Buffer,
    operation: string,
    run: () => void | Promise<void>,
    written?: number,
  ): Answer {
    try {
      const waiting = run()
      if (waiting === undefined) return this.#performed(this.#reply, request, written)
      return waiting.then(
        () => this.#performed(Buffer.alloc(REPLY_HEADER_SIZE + 8), request, written),
        (error: unknown) => Buffer.from(this.#deviceFailure(request, error, operation)),
      )
    } catch (error) {
      return this.#deviceFailure(request, error, operation)
    }
  }

  #performed(reply: Buffer, request: Buffer, written: number | undefined): Buffer {
    if (written === undefined) return sealReply(reply, request, REPLY_HEADER_SIZE)
    reply.writeUInt32LE(written, REPLY_HEADER_SIZE) // struct fuse_write_out: size, padding
    reply.writeUInt32LE(0, REPLY_HEADER_SIZE + 4)
    return sealReply(reply, request, REPLY_HEADER_SIZE + 8)
  }

  #deviceFailure(request: Buffer, error: unknown, operation: string): Buffer {
    this.#onFailure(error, operation)
    const known = error instanceof MaasError
    return this.#fail(request, known ? ERROR_CATEGORIES[error.category].errno : c.EIO)
  }
}

/** The notification that makes the kernel ask for the size of the disk at the next look. */
export function forgetSize(): Buffer {
  const bytes = Buffer.alloc(REPLY_HEADER_SIZE + 24)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeInt32LE(c.FUSE_NOTIFY_INVAL_INODE, 4)
  bytes.writeBigUInt64LE(BigInt(DISK_NODE), REPLY_HEADER_SIZE)
  bytes.writeBigInt64LE(-1n, REPLY_HEADER_SIZE + 8) // Before the first byte: attributes only.
  return bytes
}

/** The notification that makes the kernel send every unanswered request again (Linux 6.9). */
export function resendRequest(): Buffer {
  const bytes = Buffer.alloc(REPLY_HEADER_SIZE)
  bytes.writeUInt32LE(REPLY_HEADER_SIZE, 0)
  bytes.writeInt32LE(c.FUSE_NOTIFY_RESEND, 4)
  return bytes
}
