/**
 * Captures into a node's pool on another machine: the lanes of a local capture, each with a
 * connection of its own in place of a pool (docs/protocols/data.md).
 */
import { hostname } from 'node:os'
import path from 'node:path'
import { checkSource } from '../capture/source-directory.ts'
import { isMaasError } from '@openmaas/kernel/errors'
import type { CheckedParams, Result } from '@openmaas/protocols/channel/orders'
import type { CapturedSnapshot } from '@openmaas/protocols/data/messages'
import type { Captured, RemoteContext } from './captured.ts'
import { Channels, type NodeTarget } from './channels.ts'
import { captureRemoteTree } from './remote-tree.ts'
import { captureRemoteVolume } from './remote-volume.ts'

type CaptureParams = CheckedParams<'source.capture'>
type CaptureAnswer = Result<'source.capture'>

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
