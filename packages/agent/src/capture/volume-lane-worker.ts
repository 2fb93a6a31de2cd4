/**
 * The worker thread of one lane of a volume capture: takes segments by an atomic counter until
 * none is left, seals its packs, and tells the map nodes it made.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { MiB } from '@openmaas/kernel/units'
import { SessionLane } from '@openmaas/pool/pool/lane'
import { DiskImage } from '@openmaas/source-disk/image'
import { captureSegment, type SegmentResult } from '@openmaas/source-disk/segment'
import { LaneCounters } from './counters.ts'
import {
  CANCELLED,
  type FromVolumeLane,
  NEXT_SEGMENT,
  type VolumeLaneData,
} from './volume-messages.ts'

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const post = (message: FromVolumeLane): void => port.postMessage(message)

function captureSegments(data: VolumeLaneData): SegmentResult[] {
  const segments = new Uint32Array(data.segments)
  const control = new Int32Array(data.control)
  const counters = new LaneCounters(data.counters, data.lane)
  using image = new DiskImage(data.path)
  requireSame(image, data.identity)
  const sink = new SessionLane(data.session, {
    fs: new NodeFs(),
    random: systemRandom,
    onSealed: (pack) => post({ kind: 'sealed', pack }),
  })
  try {
    const buffer = Buffer.allocUnsafeSlow(MiB)
    const onRead = (count: number): void => {
      if (Atomics.load(control, CANCELLED) !== 0) {
        throw new MaasError('CANCELLED', 'the capture was cancelled')
      }
      counters.add('bytes', count)
      counters.add('bytesRead', count)
      counters.set('newBytes', sink.counters.newBytes)
      counters.set('storedBytes', sink.counters.storedBytes)
    }
    const results: SegmentResult[] = []
    for (;;) {
      const next = Atomics.add(control, NEXT_SEGMENT, 1)
      if (next >= segments.length) break
      results.push(captureSegment(image, segments[next]!, { sink, buffer, onRead }))
    }
    sink.flush()
    counters.set('newBytes', sink.counters.newBytes)
    counters.set('storedBytes', sink.counters.storedBytes)
    return results
  } finally {
    sink.close()
  }
}

/** Segments of two files would make none. */
function requireSame(image: DiskImage, expected: DiskImage['identity']): void {
  const { device, inode } = image.identity
  if (device === expected.device && inode === expected.inode) return
  const { path } = image
  throw new MaasError('SOURCE_UNREADABLE', `${path} was replaced while it was read`, { path })
}

try {
  post({ kind: 'ended', results: captureSegments(workerData as VolumeLaneData) })
} catch (error) {
  post({ kind: 'failed', error: errorToMessage(error) })
}
