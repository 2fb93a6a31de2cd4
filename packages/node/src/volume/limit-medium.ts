/**
 * How much may be written to a medium, changed while it is used; and whether what it has is used
 * up. The engine reads the limit when it starts: it is ended, its keeper starts the next one within
 * a second, and whoever reads or writes waits for that.
 */
import { statfsSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import process from 'node:process'
import { isServed } from '@openmaas/agent/media/engine-process'
import { lockMedium } from '@openmaas/agent/media/medium-lock'
import type { PoolAccess } from '@openmaas/agent/media/types'
import { isMaasError } from '@openmaas/kernel/errors'
import type { MediumId } from '@openmaas/kernel/ids'
import { MiB } from '@openmaas/kernel/units'
import { askEngine } from '@openmaas/medium/engine/control'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import {
  loadMedium,
  mediaDirectory,
  mediumDirectory,
  type MediumRecord,
  saveMedium,
} from '@openmaas/medium/media/record'
import { controlSocketOf } from '@openmaas/medium/media/runtime-directory'
import { LayerStore } from '@openmaas/medium/overlay/layer-store'

/** A write is refused whole, and is of 1 MiB at most; a few may be under way. */
const NEAR_BYTES = 4 * MiB
/** With less than this free, an engine is asked whether it refused writes. */
const ASKED_BYTES = 64 * MiB
/** A process that was killed is gone within this, unless the kernel is in trouble. */
const GONE_MS = 10_000
const POLL_MS = 10
/** Of st_blocks. */
const BLOCK_BYTES = 512

export async function limitMedium(
  pool: PoolAccess,
  id: MediumId,
  quotaBytes: number | null,
): Promise<void> {
  using _lock = lockMedium(pool.fs, pool.path, id)
  const record = loadMedium(pool.fs, pool.path, id)
  const { quotaBytes: before = null, ...rest } = record
  if (before === quotaBytes) return
  saveMedium(pool.fs, pool.path, { ...rest, ...(quotaBytes !== null && { quotaBytes }) })
  const directory = mediumDirectory(pool.path, id)
  const status = readStatus(directory)
  if (status === undefined || !engineRuns(status)) return
  process.kill(status.pid, 'SIGKILL')
  const deadline = performance.now() + GONE_MS
  while (engineRuns(status) && performance.now() < deadline) await delay(POLL_MS)
  await isServed(pool, record)
}

/** What its own layers take on the disk: holes and what was trimmed take nothing. */
export function writtenBytesOf(
  pool: Pick<PoolAccess, 'path' | 'fs'>,
  { layers }: Pick<MediumRecord, 'layers'>,
): number {
  const store = new LayerStore(pool.fs, mediaDirectory(pool.path))
  let bytes = 0
  for (const layer of layers) {
    const data = path.join(store.pathOf(layer), 'data')
    // One that was just sealed is gone.
    bytes += (statSync(data, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK_BYTES
  }
  return bytes
}

/**
 * What keeps writes from being taken; undefined: nothing does. One that was refused writes counts
 * until its engine is restarted: what it holds goes up and down meanwhile, and the file system on
 * it needs to be mounted anew all the same.
 */
export async function fullnessOf(
  pool: Pick<PoolAccess, 'path' | 'fs'>,
  record: Pick<MediumRecord, 'quotaBytes' | 'readOnly' | 'layers' | 'attachment'>,
): Promise<'quota' | 'disk' | undefined> {
  const { quotaBytes = Infinity, readOnly, layers } = record
  if (readOnly) return undefined
  // The quota is that of the layer that takes the writes.
  const top = writtenBytesOf(pool, { layers: layers.slice(-1) })
  const { bavail, bsize } = statfsSync(pool.path)
  const freeBytes = bavail * bsize
  if (top > quotaBytes - NEAR_BYTES) return 'quota'
  if (freeBytes < NEAR_BYTES) return 'disk'
  const reason = top > quotaBytes / 2 ? 'quota' : freeBytes < ASKED_BYTES ? 'disk' : undefined
  return reason !== undefined && (await hasFailed(record)) ? reason : undefined
}

async function hasFailed({ attachment }: Pick<MediumRecord, 'attachment'>): Promise<boolean> {
  if (attachment === undefined) return false
  try {
    const { failures } = await askEngine(controlSocketOf(attachment.runtimeDirectory), 'status')
    return failures > 0
  } catch (error) {
    // It is being restarted: the next look asks again.
    if (!isMaasError(error)) throw error
    return false
  }
}
