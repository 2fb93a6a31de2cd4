/** Captures a directory into a node's pool: the lanes of captureTree, each with a channel. */
import path from 'node:path'
import type { CheckedParams } from '@openmaas/protocols/channel/orders'
import { Coordinator, type CoordinatorResult } from '../capture/coordinator.ts'
import { type Counters, makeCounterMemory, sumCounters } from '../capture/counters.ts'
import type { LaneWorkerData } from '../capture/messages.ts'
import { collectWarnings, manifestWarnings, ownerNames } from '../capture/report.ts'
import {
  type Captured,
  describeProgress,
  PROGRESS_INTERVAL_MS,
  type RemoteContext,
  sessionKeys,
} from './captured.ts'
import type { Channels } from './channels.ts'

export async function captureRemoteTree(
  params: CheckedParams<'source.capture'>,
  channels: Channels,
  { progress }: RemoteContext,
): Promise<Captured> {
  const { memories } = channels
  const { parent } = channels.welcome
  const keys = sessionKeys(channels)
  const counters = makeCounterMemory(memories.length)
  const shared = {
    path: path.resolve(params.path),
    rules: params.rules,
    parentRoot: parent === null ? undefined : Buffer.from(parent.root, 'hex'),
    skip: [],
    counters,
    hungry: new SharedArrayBuffer(8),
  }
  const workers = memories.map((memory, lane): LaneWorkerData => ({
    setup: { ...shared, lane },
    remote: { memory, ...keys },
  }))
  const report = (phase: string): void => progress(describeProgress(phase, counters, parent?.bytes))
  const timer = setInterval(() => report('scanning'), PROGRESS_INTERVAL_MS)
  try {
    const rootTask = { path: '', oldEntry: undefined }
    const onSealed = (): void => undefined // The node seals.
    const { signal } = channels
    const result = await new Coordinator({ workers, rootTask, onSealed, signal }).run()
    report('committing')
    return describeTree(result, sumCounters(counters))
  } finally {
    clearInterval(timer)
  }
}

function describeTree(result: CoordinatorResult, counters: Counters): Captured {
  const { reports, root } = result
  const { warnings } = collectWarnings(result)
  return {
    root: root.id,
    counters,
    waitedMs: reports.reduce((sum, report) => sum + (report.waitedMs ?? 0), 0),
    manifest: { ...ownerNames(reports), warnings: manifestWarnings(result) },
    warnings: warnings.map(({ kind, path: at, message }) => ({ path: at, code: kind, message })),
  }
}
