/**
 * An NBD server's export as a BlockDevice: many requests in flight, over one connection or
 * several, reconnecting as long as it may.
 *
 *   await using device = await NbdClient.connect({ address: { socketPath }, exportName: 'm1' })
 *
 * The contract when a connection breaks: requests without an answer are sent again, once there is
 * a server again, for `reconnectTimeoutMs` at most; then they fail with NBD_UNREACHABLE. Writes
 * that were acknowledged but not flushed are not repeated, so the device behind the server must
 * outlive the server. A server that comes back with another size ends the client with
 * NBD_EXPORT_CHANGED: it is another disk. A larger one is the same disk, grown, when `mayGrow`.
 */
import type { BlockDevice, BlockExtent } from '@openmaas/kernel/block-device'
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import { systemClock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { GiB } from '@openmaas/kernel/units'
import { BufferPool } from './buffer-pool.ts'
import type { NbdClientTls } from './client-connection.ts'
import type { ClientAgreement } from './client-handshake.ts'
import { ClientLane } from './client-lane.ts'
import * as nbd from './constants.ts'
import type { NbdAddress } from './listen-address.ts'
import type { ClientRequest } from './session.ts'

/** Connections of one client; beyond that a server only shares the same work out. */
export const CONNECTION_COUNT_MAX = 16
const RECONNECT_TIMEOUT_MS = 60_000
/** Trims and block status queries go in steps of this: their length field has 32 bits. */
const LENGTH_MAX = GiB
/** Extents held for one blockStatus call: 64 MB. */
const EXTENT_COUNT_MAX = 1_000_000

export interface NbdClientOptions {
  readonly address: NbdAddress
  /** Default '', the server's default export. */
  readonly exportName?: string
  readonly tls?: NbdClientTls
  /** Used only as far as the server allows several. Default 1. */
  readonly connectionCount?: number
  /** The export may come back larger: `size` then says so. Default false. */
  readonly mayGrow?: boolean
  /** How long a request may wait for the server to come back. Default one minute. */
  readonly reconnectTimeoutMs?: number
  readonly clock?: Clock
  /** Ends the client: everything in flight fails with CANCELLED. */
  readonly signal?: AbortSignal
}

export class NbdClient implements BlockDevice, AsyncDisposable {
  readonly blockSize: number
  readonly readOnly: boolean
  /** Bytes, of the newest connection. */
  readonly #size: { now: number }
  readonly #agreement: ClientAgreement
  readonly #lanes: readonly ClientLane[]
  readonly #abort: AbortController

  private constructor(
    agreement: ClientAgreement,
    lanes: readonly ClientLane[],
    abort: AbortController,
    size: { now: number },
  ) {
    this.#size = size
    this.#agreement = agreement
    this.#lanes = lanes
    this.#abort = abort
    this.blockSize = Math.max(512, agreement.blockSizes.preferred)
    this.readOnly = (agreement.flags & nbd.NBD_FLAG_READ_ONLY) !== 0
  }

  get size(): number {
    return this.#size.now
  }

  /**
   * Connects once; a server that is not there is an error at once.
   *
   * @throws MaasError NBD_UNREACHABLE, NBD_EXPORT_UNKNOWN, NBD_TLS_REQUIRED,
   *   NBD_SERVER_UNSUPPORTED, NBD_PROTOCOL_VIOLATION, CANCELLED
   */
  static async connect(options: NbdClientOptions): Promise<NbdClient> {
    const wanted = options.connectionCount ?? 1
    assert(wanted >= 1 && wanted <= CONNECTION_COUNT_MAX, 'connectionCount is within its limit')
    const abort = new AbortController()
    const lanes: ClientLane[] = []
    let expected: ClientAgreement | undefined
    const size = { now: 0 }
    const fail = (error: unknown): void => {
      for (const lane of lanes) lane.fail(error)
      abort.abort()
    }
    const { tls } = options
    const makeLane = (): ClientLane =>
      new ClientLane({
        target: {
          address: options.address,
          exportName: options.exportName ?? '',
          ...(tls === undefined ? {} : { tls }),
        },
        pool: new BufferPool(),
        clock: options.clock ?? systemClock,
        reconnectTimeoutMs: options.reconnectTimeoutMs ?? RECONNECT_TIMEOUT_MS,
        signal: abort.signal,
        check: (agreement) => {
          const grown = options.mayGrow === true ? Math.max(size.now, agreement.size) : size.now
          const held = expected && { ...expected, size: grown }
          checkAgreement(agreement, held)
          size.now = agreement.size
        },
        failed: fail,
      })
    const cancel = (): void => fail(new MaasError('CANCELLED', 'the NBD client was cancelled'))
    options.signal?.addEventListener('abort', cancel, { once: true })
    abort.signal.addEventListener('abort', () => {
      options.signal?.removeEventListener('abort', cancel)
    })
    if (options.signal?.aborted === true) cancel()
    lanes.push(makeLane())
    try {
      expected = await lanes[0]!.open()
    } catch (error) {
      abort.abort()
      throw error
    }
    const several = (expected.flags & nbd.NBD_FLAG_CAN_MULTI_CONN) !== 0
    while (several && lanes.length < wanted) lanes.push(makeLane())
    return new NbdClient(expected, lanes, abort, size)
  }

  read(offset: number, target: Buffer): Promise<void> {
    this.#assertInside(offset, target.length)
    return this.#split(offset, target.length, this.#payloadMax, (at, length) => {
      const from = at - offset
      return this.#request(nbd.NBD_CMD_READ, at, length, {
        target: target.subarray(from, from + length),
      })
    })
  }

  /** The source must stay as it is until the promise settles: it may be sent again. */
  write(offset: number, source: Buffer): Promise<void> {
    this.#assertInside(offset, source.length)
    this.#assertWritable()
    return this.#split(offset, source.length, this.#payloadMax, (at, length) => {
      const from = at - offset
      return this.#request(nbd.NBD_CMD_WRITE, at, length, {
        source: source.subarray(from, from + length),
      })
    })
  }

  trim(offset: number, length: number): Promise<void> {
    this.#assertInside(offset, length)
    this.#assertWritable()
    if (!this.#has(nbd.NBD_FLAG_SEND_TRIM)) return Promise.resolve() // Old bytes may stay.
    return this.#split(offset, length, LENGTH_MAX, (at, part) =>
      this.#request(nbd.NBD_CMD_TRIM, at, part),
    )
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    this.#assertInside(offset, length)
    this.#assertWritable()
    if (this.#has(nbd.NBD_FLAG_SEND_WRITE_ZEROES)) {
      return this.#split(offset, length, this.#payloadMax, (at, part) =>
        this.#request(nbd.NBD_CMD_WRITE_ZEROES, at, part),
      )
    }
    return this.#split(offset, length, this.#payloadMax, (at, part) =>
      this.#request(nbd.NBD_CMD_WRITE, at, part, { source: Buffer.alloc(part) }),
    )
  }

  flush(): Promise<void> {
    if (!this.#has(nbd.NBD_FLAG_SEND_FLUSH)) return Promise.resolve() // Read-only, by the check.
    return this.#request(nbd.NBD_CMD_FLUSH, 0, 0)
  }

  async blockStatus(offset: number, length: number): Promise<BlockExtent[]> {
    this.#assertInside(offset, length)
    if (this.#agreement.contextId === undefined) {
      return length === 0 ? [] : [{ offset, length, hole: false, zero: false }]
    }
    const extents: BlockExtent[] = []
    let at = offset
    while (at < offset + length) {
      const span = Math.min(LENGTH_MAX, offset + length - at)
      for (const extent of await this.#queryStatus(at, span)) {
        const last = extents.at(-1)
        if (last !== undefined && last.hole === extent.hole && last.zero === extent.zero) {
          extents[extents.length - 1] = { ...last, length: last.length + extent.length }
        } else extents.push(extent)
        at = extent.offset + extent.length
      }
      assert(extents.length <= EXTENT_COUNT_MAX, 'callers ask for ranges they can hold')
    }
    return extents
  }

  /** Waits for what is in flight and takes leave. What was not flushed is the server's to keep. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()))
    this.#abort.abort()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #payloadMax(): number {
    return this.#agreement.blockSizes.maximum
  }

  #has(flag: number): boolean {
    return (this.#agreement.flags & flag) !== 0
  }

  #assertInside(offset: number, length: number): void {
    const inside = offset >= 0 && length >= 0 && offset + length <= this.size
    assert(inside, 'the range lies inside the device')
  }

  /** @throws MaasError DEVICE_READ_ONLY */
  #assertWritable(): void {
    if (this.readOnly) throw new MaasError('DEVICE_READ_ONLY', 'the export is read-only')
  }

  /** One request, or several in flight together when the range is longer than one may be. */
  async #split(
    offset: number,
    length: number,
    lengthMax: number,
    act: (offset: number, length: number) => Promise<void>,
  ): Promise<void> {
    if (length === 0) return
    if (length <= lengthMax) {
      await act(offset, length)
      return
    }
    const parts: Promise<void>[] = []
    for (let at = offset; at < offset + length; at += lengthMax) {
      parts.push(act(at, Math.min(lengthMax, offset + length - at)))
    }
    await Promise.all(parts)
  }

  #queryStatus(offset: number, length: number): Promise<BlockExtent[]> {
    return new Promise((resolve, reject) => {
      const request: ClientRequest = {
        type: nbd.NBD_CMD_BLOCK_STATUS,
        flags: 0,
        offset,
        length,
        resolve: () => resolve(request.extents ?? []),
        reject,
      }
      this.#lane().submit(request)
    })
  }

  #request(
    type: number,
    offset: number,
    length: number,
    memory: { source?: Buffer; target?: Buffer } = {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#lane().submit({ type, flags: 0, offset, length, ...memory, resolve, reject })
    })
  }

  /** The least loaded lane; among equals, one that is connected. */
  #lane(): ClientLane {
    let best = this.#lanes[0]!
    for (const lane of this.#lanes) {
      const better = lane.load < best.load || (lane.load === best.load && !best.isOpen)
      if (better) best = lane
    }
    return best
  }
}

/** @throws MaasError NBD_SERVER_UNSUPPORTED at first, NBD_EXPORT_CHANGED later */
function checkAgreement(agreement: ClientAgreement, expected: ClientAgreement | undefined): void {
  const { size, flags, blockSizes } = agreement
  if (blockSizes.minimum > 1) {
    const message = 'the server serves whole blocks only'
    throw new MaasError('NBD_SERVER_UNSUPPORTED', message, { minimum: blockSizes.minimum })
  }
  const writable = (flags & nbd.NBD_FLAG_READ_ONLY) === 0
  if (writable && (flags & nbd.NBD_FLAG_SEND_FLUSH) === 0) {
    throw new MaasError('NBD_SERVER_UNSUPPORTED', 'the server cannot flush a writable export')
  }
  if (expected === undefined) return
  // A newer server may offer more than the old one, never less.
  const same =
    size === expected.size &&
    writable === ((expected.flags & nbd.NBD_FLAG_READ_ONLY) === 0) &&
    (flags & expected.flags) === expected.flags &&
    (expected.contextId === undefined || agreement.contextId !== undefined) &&
    blockSizes.maximum >= expected.blockSizes.maximum
  if (!same) {
    const details = { size, expectedSize: expected.size, flags, expectedFlags: expected.flags }
    throw new MaasError('NBD_EXPORT_CHANGED', 'the export is not what it was', details)
  }
}
