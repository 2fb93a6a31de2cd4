/**
 * The requests that are more than one device call at once: each does its work on the device and
 * returns the function that writes its reply, or a promise of it when the device takes its time.
 */
import type { BlockDevice, BlockExtent, Completion } from '@openmaas/kernel/block-device'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { GiB, MiB } from '@openmaas/kernel/units'
import type { BufferPool } from './buffer-pool.ts'
import * as nbd from './constants.ts'
import type { NbdAgreement } from './export.ts'
import { BASE_ALLOCATION_ID } from './handshake.ts'
import { DATA_CHUNK_HEADER_SIZE, HOLE_CHUNK_SIZE } from './reply-writer.ts'
import { writeDataChunk, writeHoleChunk } from './reply-writer.ts'
import type { ReplyWriter, WireRequest } from './reply-writer.ts'

export type Reply = () => void

/** A reply in more chunks than this is sent in one piece instead. */
const READ_CHUNK_COUNT_MAX = 256
/** Descriptors of one block status reply: 64 KiB. The client asks again for the rest. */
const EXTENT_COUNT_MAX = 8192
/** The range one block status request looks at; the protocol lets a server answer less. */
const BLOCK_STATUS_SPAN_MAX = GiB
/** NBD_CMD_CACHE and zeroes without a hole go through the device in pieces of this size. */
const PIECE_SIZE = MiB

/** @throws what the device throws */
export function performRequest(
  current: WireRequest,
  agreement: NbdAgreement,
  pool: BufferPool,
  writer: ReplyWriter,
): Reply | Promise<Reply> {
  const request = { ...current } // The parser goes on while a device takes its time.
  const { device } = agreement
  const { offset, length } = request
  if (length === 0 && request.type !== nbd.NBD_CMD_FLUSH) return () => writer.nothing(request)
  switch (request.type) {
    case nbd.NBD_CMD_READ:
      return readReply(request, device, pool, writer)
    case nbd.NBD_CMD_BLOCK_STATUS:
      return blockStatusReply(request, device, writer)
    case nbd.NBD_CMD_FLUSH:
      return acknowledge(device.flush())
    case nbd.NBD_CMD_TRIM:
      return acknowledge(durably(device.trim(offset, length)))
    case nbd.NBD_CMD_CACHE:
      return acknowledge(inPieces(request, (at, piece) => device.read(at, piece)))
    case nbd.NBD_CMD_WRITE_ZEROES:
      return acknowledge(durably(writeZeroes(request, agreement)))
    default:
      throw new MaasError('INTERNAL', 'a request passed the check without a meaning')
  }

  function acknowledge(done: Completion): Reply | Promise<Reply> {
    const reply = (): void => writer.ack(request.high, request.low)
    return done === undefined ? reply : done.then(() => reply)
  }

  /** With FUA the work is on stable storage before it is acknowledged. */
  function durably(done: Completion): Completion {
    if ((request.flags & nbd.NBD_CMD_FLAG_FUA) === 0) return done
    return done === undefined ? device.flush() : done.then(() => device.flush())
  }
}

function writeZeroes(request: WireRequest, agreement: NbdAgreement): Completion {
  const { device, fastZero } = agreement
  const provision = (request.flags & nbd.NBD_CMD_FLAG_NO_HOLE) !== 0
  if ((request.flags & nbd.NBD_CMD_FLAG_FAST_ZERO) !== 0 && (!fastZero || provision)) {
    throw new MaasError('NBD_NOT_FAST', 'zeroing is not quicker than writing here')
  }
  if (!provision) return device.writeZeroes(request.offset, request.length)
  return inPieces(request, (at, piece) => device.write(at, piece))
}

/** Runs over a range with one zeroed buffer; leaves the synchronous path on a promise. */
function inPieces(
  request: WireRequest,
  act: (offset: number, piece: Buffer) => Completion,
): Completion {
  const buffer = Buffer.alloc(Math.min(PIECE_SIZE, request.length))
  const end = request.offset + request.length
  let at = request.offset
  const next = (): Completion => {
    while (at < end) {
      const piece = buffer.subarray(0, Math.min(PIECE_SIZE, end - at))
      const done = act(at, piece)
      at += piece.length
      if (done !== undefined) return done.then(next)
    }
    return undefined
  }
  return next()
}

function readReply(
  request: WireRequest,
  device: BlockDevice,
  pool: BufferPool,
  writer: ReplyWriter,
): Reply | Promise<Reply> {
  if (!writer.maySkipHoles(request)) return readWhole(request, device, pool, writer)
  const extents = device.blockStatus(request.offset, request.length)
  const read = (list: readonly BlockExtent[]): Reply | Promise<Reply> => {
    const runs = mergeRuns(request, list)
    const whole = runs.length > READ_CHUNK_COUNT_MAX || runs.every((run) => !run.zero)
    return whole
      ? readWhole(request, device, pool, writer)
      : readChunks(request, runs, device, pool, writer)
  }
  return extents instanceof Promise ? extents.then(read) : read(extents)
}

function readWhole(
  request: WireRequest,
  device: BlockDevice,
  pool: BufferPool,
  writer: ReplyWriter,
): Reply | Promise<Reply> {
  const size = writer.readHeaderSize + request.length
  const buffer = pool.acquire(size)
  const done = device.read(request.offset, buffer.subarray(writer.readHeaderSize, size))
  const reply = (): void => {
    writer.readHeader(buffer, 0, request)
    writer.packer.append(buffer, size)
  }
  return done === undefined ? reply : done.then(() => reply)
}

interface Run {
  readonly offset: number
  length: number
  readonly zero: boolean
}

/** Data and zeros in turn. Checks that the device has covered the range, as it promises. */
function mergeRuns(request: WireRequest, extents: readonly BlockExtent[]): Run[] {
  const runs: Run[] = []
  let at = request.offset
  for (const extent of extents) {
    assert(extent.offset === at && extent.length > 0, 'block status is in order without gaps')
    const last = runs.at(-1)
    if (last !== undefined && last.zero === extent.zero) last.length += extent.length
    else runs.push({ offset: at, length: extent.length, zero: extent.zero })
    at += extent.length
  }
  assert(at === request.offset + request.length, 'block status covers exactly the asked range')
  return runs
}

function readChunks(
  request: WireRequest,
  runs: readonly Run[],
  device: BlockDevice,
  pool: BufferPool,
  writer: ReplyWriter,
): Reply | Promise<Reply> {
  let size = 0
  for (const run of runs) {
    size += run.zero ? HOLE_CHUNK_SIZE : DATA_CHUNK_HEADER_SIZE + run.length
  }
  const buffer = pool.acquire(size)
  const waiting: Promise<void>[] = []
  let at = 0
  for (const [i, run] of runs.entries()) {
    const range = { offset: run.offset, length: run.length, last: i === runs.length - 1 }
    if (run.zero) {
      writeHoleChunk(buffer, at, request, range)
      at += HOLE_CHUNK_SIZE
      continue
    }
    writeDataChunk(buffer, at, request, range)
    at += DATA_CHUNK_HEADER_SIZE
    const done = device.read(run.offset, buffer.subarray(at, at + run.length))
    if (done !== undefined) waiting.push(done)
    at += run.length
  }
  const reply = (): void => writer.packer.append(buffer, size)
  return waiting.length === 0 ? reply : Promise.all(waiting).then(() => reply)
}

function blockStatusReply(
  request: WireRequest,
  device: BlockDevice,
  writer: ReplyWriter,
): Reply | Promise<Reply> {
  const span = Math.min(request.length, BLOCK_STATUS_SPAN_MAX)
  const extents = device.blockStatus(request.offset, span)
  const reply = (list: BlockExtent[]): Reply => {
    const one = (request.flags & nbd.NBD_CMD_FLAG_REQ_ONE) !== 0
    const merged = mergeExtents(list).slice(0, one ? 1 : EXTENT_COUNT_MAX)
    assert(merged.length > 0, 'block status covers exactly the asked range')
    return () => writer.blockStatus(request, BASE_ALLOCATION_ID, merged)
  }
  return extents instanceof Promise ? extents.then(reply) : reply(extents)
}

/** Neighbours of one status become one descriptor, as the protocol asks where feasible. */
function mergeExtents(extents: readonly BlockExtent[]): BlockExtent[] {
  const merged: BlockExtent[] = []
  for (const extent of extents) {
    const last = merged.at(-1)
    if (last !== undefined && last.zero === extent.zero && last.hole === extent.hole) {
      merged[merged.length - 1] = { ...last, length: last.length + extent.length }
    } else merged.push(extent)
  }
  return merged
}
