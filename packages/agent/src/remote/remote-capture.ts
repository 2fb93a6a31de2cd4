/**
 * Captures into a node's pool on another machine: the lanes of a local capture, each with a
 * connection of its own in place of a pool (docs/protocols/data.md).
 */
import { hostname } from 'node:os'
import path from 'node:path'
import { Coordinator, type CoordinatorResult } from '../capture/coordinator.ts'
import { type Counters, makeCounterMemory, sumCounters } from '../capture/counters.ts'
import type { LaneWorkerData } from '../capture/messages.ts'
import { collectWarnings, manifestWarnings, ownerNames } from '../capture/report.ts'
import { checkSource } from '../capture/source-directory.ts'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { CheckedParams, OrderProgress, Result } from '@openmaas/protocols/channel/orders'
import type { CapturedSnapshot, Commit } from '@openmaas/protocols/data/messages'
import type { AgentIdentity } from './channel-messages.ts'
import { Channels, type NodeTarget } from './channels.ts'
import { captureRemoteVolume } from './remote-volume.ts'

export interface RemoteContext {
  readonly identity: AgentIdentity
  readonly signal: AbortSignal
  readonly progress: (progress: OrderProgress) => void
}

type CaptureParams = CheckedParams<'source.capture'>
type CaptureAnswer = Result<'source.capture'>

/** What a kind of capture leaves to be committed. */
export interface Captured {
  readonly root: Uint8Array
  readonly counters: Counters
  readonly waitedMs: number
  readonly manifest: Pick<Commit, 'users' | 'groups' | 'warnings'>
  readonly warnings: CaptureAnswer['warnings']
}

const PROGRESS_INTERVAL_MS = 500

/**
 * @throws MaasError DATA_UNREACHABLE, DATA_REFUSED, SOURCE_*, PATH_NOT_FOUND, CANCELLED, and what
 *   the node answers; nothing of it is kept then
 */
export async function remoteCapture(
  params: CaptureParams,
  context: RemoteContext,
): Promise<CaptureAnswer> {
  if (params.kind === 'files') checkSource(params.path)
  try {
    return await captureOnce(params, context)
  } catch (error) {
    // A parent that the node cannot read must not stop the capture that would heal it.
    const damaged = isMaasError(error) && error.category === 'corrupt' && error.code !== 'INTERNAL'
    if (!damaged || params.parentSnapshotId === null) throw error
    return captureOnce({ ...params, parentSnapshotId: null }, context)
  }
}

async function captureOnce(params: CaptureParams, context: RemoteContext): Promise<CaptureAnswer> {
  const startedAt = new Date().toISOString()
  const target = params.target as NodeTarget
  const { identity, signal } = context
  await using channels = await Channels.open({
    target,
    identity,
    open: {
      do: 'capture',
      kind: params.kind === 'disk' ? 'volume' : 'tree',
      requestId: params.requestId,
      parentSnapshotId: params.parentSnapshotId,
    },
    connections: target.channels,
    bytesPerSecond: params.bytesPerSecond,
    signal,
  })
  const { done } = channels.welcome
  if (done !== null) return describe(done, undefined)
  try {
    const capture = params.kind === 'disk' ? captureRemoteVolume : captureRemoteTree
    const captured = await capture(params, channels, context)
    const snapshot = await channels.commit({
      root: Buffer.from(captured.root).toString('hex'),
      sourceName: params.sourceName,
      sourcePath: path.resolve(params.path),
      host: hostname(),
      startedAt,
      endedAt: new Date().toISOString(),
      tags: params.tags,
      lockUntil: params.lockUntil,
      ...captured.manifest,
    })
    return describe(snapshot, captured)
  } catch (error) {
    // Lanes only know that the connection is gone: the channel, or the node, knows why.
    throw channels.failure ?? error
  }
}

async function captureRemoteTree(
  params: CaptureParams,
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

/** @throws MaasError DATA_PROTOCOL_VIOLATION */
export function sessionKeys({ welcome }: Channels): {
  chunkIdKey: Uint8Array
  chunkerKey: Uint8Array
} {
  const { keys } = welcome
  if (keys === null) {
    throw new MaasError('DATA_PROTOCOL_VIOLATION', 'the node gave no keys for a capture')
  }
  return {
    chunkIdKey: Buffer.from(keys.chunkId, 'hex'),
    chunkerKey: Buffer.from(keys.chunker, 'hex'),
  }
}

export function describeProgress(
  phase: string,
  memory: SharedArrayBuffer,
  bytesTotal: number | undefined,
): OrderProgress {
  const { bytes, entries } = sumCounters(memory)
  return { phase, bytesDone: bytes, bytesTotal: bytesTotal ?? null, itemsDone: entries }
}

function describe(snapshot: CapturedSnapshot, captured: Captured | undefined): CaptureAnswer {
  return {
    ...snapshot,
    readBytes: captured?.counters.bytesRead ?? 0,
    warningCount: captured?.manifest.warnings.count ?? 0,
    warnings: captured?.warnings ?? [],
    // Lanes do everything else one after the other: only for the line and the node they wait.
    waits: { source: 0, network: (captured?.waitedMs ?? 0) / 1000, pool: 0, cpu: 0 },
  }
}
