/** The thread of a seal: reads the frozen layers and stores what they changed. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { LayerId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { bootId } from '@openmaas/kernel/sysinfo'
import { mediaDirectory } from '@openmaas/medium/media/record'
import { LayerStore } from '@openmaas/medium/overlay/layer-store'
import { openSnapshot, type SnapshotDescription } from '@openmaas/medium/stack/build-stack'
import { sealMedium } from '@openmaas/medium/stack/seal-medium'
import { ChunkReader, type ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import { type LaneHandoff, SessionLane } from '@openmaas/pool/pool/lane'
import type { SealedPack } from '@openmaas/pool/pool/types'
import { volumeManifest, type VolumeManifest } from '@openmaas/pool/volume/manifest'

export interface SealRequest {
  /** Path of brick 0. */
  readonly brick: string
  readonly reader: ReaderHandoff
  readonly session: LaneHandoff
  /** What the layers stand on. */
  readonly snapshot: SnapshotDescription
  /** The oldest first. */
  readonly layers: readonly LayerId[]
  /** Int32: 1 ends the seal. */
  readonly stop: SharedArrayBuffer
}

export interface Sealed {
  /** Chunk id of the new root, in hex. */
  readonly root: string
  readonly manifest: VolumeManifest
  readonly readBytes: number
  readonly newBytes: number
  readonly storedBytes: number
}

export type FromSealer =
  | { readonly kind: 'sealed'; readonly pack: SealedPack }
  | { readonly kind: 'progress'; readonly bytesDone: number; readonly itemsDone: number }
  | { readonly kind: 'done'; readonly result: Sealed }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

/** Grains between two words about the progress: 16 MiB of 64 KiB each. */
const PROGRESS_EVERY = 256

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const post = (message: FromSealer): void => port.postMessage(message)

function seal({ brick, reader, session, snapshot, layers, stop }: SealRequest): Sealed {
  const control = new Int32Array(stop)
  const fs = new NodeFs()
  const store = new LayerStore(fs, mediaDirectory(brick))
  for (const layer of layers) store.freeze(layer, bootId())
  const source = new ChunkReader(reader, { fs })
  const lane = new SessionLane(session, {
    fs,
    random: systemRandom,
    onSealed: (pack) => post({ kind: 'sealed', pack }),
  })
  try {
    let [bytesDone, itemsDone] = [0, 0]
    const sealed = sealMedium(lane, {
      fs,
      source,
      snapshot,
      directories: layers.map((layer) => store.pathOf(layer)),
      size: sizeOf(store, layers) ?? openSnapshot(source, snapshot).size,
      onGrain: (bytes) => {
        bytesDone += bytes
        itemsDone += 1
        if (Atomics.load(control, 0) !== 0) throw cancelled()
        if (itemsDone % PROGRESS_EVERY === 0) post({ kind: 'progress', bytesDone, itemsDone })
      },
    })
    lane.flush()
    if (Atomics.load(control, 0) !== 0) throw cancelled()
    const { newBytes, storedBytes } = lane.counters
    return {
      root: sealed.id.toString('hex'),
      manifest: volumeManifest(source, sealed.root),
      readBytes: sealed.readBytes,
      newBytes,
      storedBytes,
    }
  } finally {
    lane.close()
    source.close()
  }
}

/** Of the device when it was frozen. @throws MaasError OVERLAY_INVALID */
function sizeOf(store: LayerStore, layers: readonly LayerId[]): number | undefined {
  const last = layers.at(-1)
  return last === undefined ? undefined : store.load(last)?.size
}

function cancelled(): MaasError {
  return new MaasError('CANCELLED', 'the seal was cancelled')
}

try {
  post({ kind: 'done', result: seal(workerData as SealRequest) })
} catch (error) {
  post({ kind: 'failed', error: errorToMessage(error) })
}
