/**
 * The part of a volume restore that one lane does: takes segments by an atomic counter until none
 * is left, and writes what is not zeros.
 */
import { closeSync, openSync } from 'node:fs'
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { posixError } from '@openmaas/kernel/posix/library'
import { pwrite } from '@openmaas/kernel/posix/files'
import { MiB } from '@openmaas/kernel/units'
import { DeviceStack } from '@openmaas/medium/stack/device-stack'
import { RestoreCounters } from './counters.ts'
import {
  NEXT_SEGMENT,
  OVER,
  type RestoreVolumeLaneData,
  VOLUME_SEGMENT_SIZE,
} from './volume-messages.ts'

/** One read of the device and one write: still in the processor's cache in between. */
const PIECE_SIZE = 1 * MiB

export function restoreSegments(data: RestoreVolumeLaneData): void {
  const control = new Int32Array(data.control)
  const counters = new RestoreCounters(data.counters, data.lane)
  const device = DeviceStack.open(data.stack, { fs: new NodeFs() })
  const file = openSync(data.path, 'r+')
  const buffer = Buffer.allocUnsafeSlow(PIECE_SIZE)
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
          if (Atomics.load(control, OVER) !== 0) {
            throw new MaasError('CANCELLED', 'the restore was cancelled')
          }
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
  }
}

function writeAll(file: number, bytes: Buffer, at: { offset: number; path: string }): void {
  for (let done = 0; done < bytes.length;) {
    const count = pwrite(file, bytes.subarray(done), at.offset + done)
    if (count < 0) throw posixError(-count, 'pwrite', at.path)
    done += count
  }
}
