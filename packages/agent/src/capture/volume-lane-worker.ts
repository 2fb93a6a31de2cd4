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
import { Throttle } from '@openmaas/kernel/throttle'
import { MiB } from '@openmaas/kernel/units'
import { SessionLane } from '@openmaas/pool/pool/lane'
import { FIXED_CHUNK_SIZE } from '@openmaas/pool/chunk/chunk'
import { MapReader } from '@openmaas/pool/volume/map-reader'
import { NODE_ENTRIES } from '@openmaas/pool/volume/node'
import { grainCountOf, readVolumeRoot } from '@openmaas/pool/volume/root'
import type { RemoteLane } from '../remote/remote-lane.ts'
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
let waitedMs = 0
const post = (message: FromVolumeLane): void => port.postMessage(message)

interface VolumePool {
  readonly sink: SessionLane | RemoteLane
  /** Before a segment is read: what stood there in the parent need not be sent again. */
  readonly expect: (segment: number) => void
}

async function openPool(data: VolumeLaneData): Promise<VolumePool> {
  if ('remote' in data) {
    const { remote, parentRoot } = data
    // Only here: what checks messages of others takes 40 ms to load.
    const { RemoteLane } = await import('../remote/remote-lane.ts')
    const sink = new RemoteLane(remote.memory, remote.chunkIdKey)
    if (parentRoot === undefined) return { sink, expect: () => undefined }
    const map = new MapReader(sink, readVolumeRoot(sink, Buffer.from(parentRoot)))
    return { sink, expect: (segment) => expectSegment(sink, map, segment) }
  }
  const sink = new SessionLane(data.session, {
    fs: new NodeFs(),
    random: systemRandom,
    onSealed: (pack) => post({ kind: 'sealed', pack }),
  })
  return { sink, expect: () => undefined }
}

function expectSegment(lane: RemoteLane, map: MapReader, segment: number): void {
  if (map.root.grainSize !== FIXED_CHUNK_SIZE) return
  const first = segment * NODE_ENTRIES
  const end = Math.min(first + NODE_ENTRIES, grainCountOf(map.root))
  for (let grain = first; grain < end;) {
    const run = map.run(grain, end)
    if (run.id !== undefined) lane.expectIds([run.id])
    grain = run.first + run.count
  }
}

async function captureSegments(data: VolumeLaneData): Promise<SegmentResult[]> {
  const segments = new Uint32Array(data.segments)
  const control = new Int32Array(data.control)
  const counters = new LaneCounters(data.counters, data.lane)
  using image = new DiskImage(data.path)
  requireSame(image, data.identity)
  const { sink, expect } = await openPool(data)
  try {
    const buffer = Buffer.allocUnsafeSlow(MiB)
    const isOver = (): boolean => Atomics.load(control, CANCELLED) !== 0
    const throttle = data.throttle && new Throttle(data.throttle)
    const onRead = (count: number): void => {
      throttle?.passSync(count, isOver)
      if (isOver()) {
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
      expect(segments[next]!)
      results.push(captureSegment(image, segments[next]!, { sink, buffer, onRead }))
    }
    sink.flush()
    counters.set('newBytes', sink.counters.newBytes)
    counters.set('storedBytes', sink.counters.storedBytes)
    if ('waitedMs' in sink) waitedMs = sink.waitedMs
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
  post({ kind: 'ended', results: await captureSegments(workerData as VolumeLaneData), waitedMs })
} catch (error) {
  post({ kind: 'failed', error: errorToMessage(error) })
}
