/**
 * The part of a volume restore that one lane does: takes segments by an atomic counter until none
 * is left, and writes what is not zeros.
 */
import { closeSync, openSync } from 'node:fs'
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { posixError } from '@openmaas/kernel/posix/library'
import { pwrite } from '@openmaas/kernel/posix/files'
import { Throttle } from '@openmaas/kernel/throttle'
import { MiB } from '@openmaas/kernel/units'
import { openSnapshot } from '@openmaas/medium/stack/build-stack'
import { MapReader } from '@openmaas/pool/volume/map-reader'
import { grainCountOf, readVolumeRoot } from '@openmaas/pool/volume/root'
import { RestoreCounters } from './counters.ts'
import { openSource, type RestoreSource } from './source.ts'
import {
  NEXT_SEGMENT,
  OVER,
  type RestoreVolumeLaneData,
  VOLUME_SEGMENT_SIZE,
} from './volume-messages.ts'

/** One read of the device and one write: still in the processor's cache in between. */
const PIECE_SIZE = 1 * MiB

export async function restoreSegments(data: RestoreVolumeLaneData): Promise<void> {
  const control = new Int32Array(data.control)
  const counters = new RestoreCounters(data.counters, data.lane)
  const source = await openSource(data.reader, new NodeFs())
  const device = openSnapshot(source, data.snapshot)
  const announce = announcer(source, data.snapshot.root)
  const file = openSync(data.path, 'r+')
  const buffer = Buffer.allocUnsafeSlow(PIECE_SIZE)
  const isOver = (): boolean => Atomics.load(control, OVER) !== 0
  const throttle = data.throttle && new Throttle(data.throttle)
  try {
    for (;;) {
      const offset = Atomics.add(control, NEXT_SEGMENT, 1) * VOLUME_SEGMENT_SIZE
      if (offset >= device.size) return
      const length = Math.min(VOLUME_SEGMENT_SIZE, device.size - offset)
      for (const extent of device.blockStatus(offset, length)) {
        if (extent.zero && data.fresh) {
          counters.add('bytes', extent.length)
          continue
        }
        for (let done = 0; done < extent.length; done += PIECE_SIZE) {
          throttle?.passSync(Math.min(PIECE_SIZE, extent.length - done), isOver)
          if (isOver()) {
            throw new MaasError('CANCELLED', 'the restore was cancelled')
          }
          announce(extent.offset + done)
          const piece = buffer.subarray(0, Math.min(PIECE_SIZE, extent.length - done))
          device.read(extent.offset + done, piece)
          writeAll(file, piece, { offset: extent.offset + done, path: data.path })
          counters.add('bytes', piece.length)
        }
      }
    }
  } finally {
    closeSync(file)
    device.close()
    source.close()
  }
}

function writeAll(file: number, bytes: Buffer, at: { offset: number; path: string }): void {
  for (let done = 0; done < bytes.length;) {
    const count = pwrite(file, bytes.subarray(done), at.offset + done)
    if (count < 0) throw posixError(-count, 'pwrite', at.path)
    done += count
  }
}

/** How much of the device is asked for ahead of the read. */
const AHEAD_SIZE = 3 * MiB

/** @returns called before each piece is read: asks for its chunks and those behind it */
function announcer(source: RestoreSource, root: string): (offset: number) => void {
  if (source.readAhead === undefined) return () => undefined
  const map = new MapReader(source, readVolumeRoot(source, Buffer.from(root, 'hex')))
  const { grainSize } = map.root
  const grains = grainCountOf(map.root)
  return (offset) => {
    const ids: Buffer[] = []
    const end = Math.min(grains, Math.ceil((offset + AHEAD_SIZE) / grainSize))
    for (let grain = Math.floor(offset / grainSize); grain < end;) {
      const run = map.run(grain, end)
      if (run.id !== undefined) ids.push(run.id)
      grain = run.first + run.count
    }
    source.readAhead!(ids)
  }
}
