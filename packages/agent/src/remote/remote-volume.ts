/** Captures a disk image into a node's pool: the lanes of captureVolume, each with a channel. */
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { CheckedParams } from '@openmaas/protocols/channel/orders'
import { DiskImage } from '@openmaas/source-disk/image'
import type { SegmentResult } from '@openmaas/source-disk/segment'
import { changedWarning, dataBytes, shareSegments } from '../capture/capture-volume.ts'
import { makeCounterMemory, sumCounters } from '../capture/counters.ts'
import { CANCELLED, type FromVolumeLane, type VolumeLaneData } from '../capture/volume-messages.ts'
import type { AssembleRequest, FromAssembler } from './assemble-worker.ts'
import {
  type Captured,
  describeProgress,
  PROGRESS_INTERVAL_MS,
  type RemoteContext,
  sessionKeys,
} from './captured.ts'
import type { Channels } from './channels.ts'

export async function captureRemoteVolume(
  params: CheckedParams<'source.capture'>,
  channels: Channels,
  { progress }: RemoteContext,
): Promise<Captured> {
  using image = new DiskImage(path.resolve(params.path))
  const { memories } = channels
  const { parent } = channels.welcome
  const keys = sessionKeys(channels)
  const counters = makeCounterMemory(memories.length)
  const control = new Int32Array(new SharedArrayBuffer(8))
  const shared = {
    path: image.path,
    identity: image.identity,
    counters,
    segments: shareSegments(image).buffer as SharedArrayBuffer,
    control: control.buffer,
    parentRoot: parent === null ? undefined : Buffer.from(parent.root, 'hex'),
  }
  const bytesTotal = dataBytes(image)
  const report = (phase: string): void => progress(describeProgress(phase, counters, bytesTotal))
  const timer = setInterval(() => report('scanning'), PROGRESS_INTERVAL_MS)
  const cancel = (): void => void Atomics.store(control, CANCELLED, 1)
  channels.signal.addEventListener('abort', cancel)
  try {
    const lanes = memories.map((memory, lane) =>
      runLane({ ...shared, lane, remote: { memory, ...keys } }),
    )
    for (const lane of lanes) lane.catch(cancel) // One that fails ends the others.
    const ended = await settleAll(lanes)
    report('committing')
    const results = ended.flatMap((lane) => lane.results)
    const remote = { memory: memories[0]!, ...keys }
    const root = await assemble({ remote, size: image.size, results })
    const warnings = changedWarning(image)
    const first = warnings.map((warning) => `${warning.path}: ${warning.message}`)
    return {
      root,
      counters: sumCounters(counters),
      waitedMs: ended.reduce((sum, { waitedMs }) => sum + waitedMs, 0),
      manifest: { users: {}, groups: {}, warnings: { count: warnings.length, first } },
      warnings: warnings.map(({ kind, path: at, message }) => ({ path: at, code: kind, message })),
    }
  } finally {
    channels.signal.removeEventListener('abort', cancel)
    clearInterval(timer)
  }
}

/** All of them have ended when it settles. @throws the first cause, not what followed from it */
async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises)
  const reasons = settled.flatMap((each) =>
    each.status === 'rejected' ? [each.reason as unknown] : [],
  )
  const cause = reasons.find((error) => !(error instanceof MaasError && error.code === 'CANCELLED'))
  if (reasons.length > 0) throw cause ?? reasons[0]
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
}

interface LaneEnd {
  readonly results: readonly SegmentResult[]
  readonly waitedMs: number
}

function runLane(workerData: VolumeLaneData): Promise<LaneEnd> {
  const url = new URL('../capture/volume-lane-worker.ts', import.meta.url)
  const worker = new Worker(url, { workerData })
  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromVolumeLane) => {
      if (message.kind === 'ended') {
        resolve({ results: message.results, waitedMs: message.waitedMs ?? 0 })
      } else if (message.kind === 'failed') reject(reviveError(message.error))
    })
    worker.on('error', reject)
    worker.on('exit', () => reject(new MaasError('INTERNAL', 'a lane ended without a word')))
  })
}

function assemble(workerData: AssembleRequest): Promise<Uint8Array> {
  const worker = new Worker(new URL('./assemble-worker.ts', import.meta.url), { workerData })
  return new Promise((resolve, reject) => {
    worker.on('message', (message: FromAssembler) => {
      if (message.kind === 'done') resolve(message.root)
      else reject(reviveError(message.error))
    })
    worker.on('error', reject)
    worker.on('exit', () => reject(new MaasError('INTERNAL', 'a thread ended without a word')))
  })
}
