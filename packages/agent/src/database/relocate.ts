/**
 * Moves the volume of a virtual database to a local directory, for every engine.
 *
 *   look    whether the directory can take it; nothing is made
 *   copy    passes over the tree while the instance runs, until a pass finds little to write
 *   finish  written out and stopped by its plug-in, then the last pass over what stands still
 *
 * The copy counts for nothing until control says that it does, after `finish`. What was seen of
 * the files stays in memory only: an agent that was killed compares all of them once more, which
 * takes longer and is right all the same. A pass is durable when it ends, by a sync of the whole
 * file system.
 */
import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { directorySize } from '@openmaas/source-kit/growing-directory'
import type { PluginContext, SourcePlugin } from '@openmaas/source-kit/plugin'
import { runProgram } from '@openmaas/source-kit/run-program'
import {
  checkTarget,
  markerPath,
  openTarget,
  readMarker,
  requireOwnTree,
  requirePassage,
  requireSpace,
  writeMarker,
} from './target-directory.ts'
import { isMountPoint, readMounts } from './target-disk.ts'
import { copyPass, type Seen } from './tree-copy.ts'

type Params = DatabaseParams<'database.relocate'>
type Result = DatabaseResult<'database.relocate'>

/** Less than this is copied within a moment of standing still. */
const LITTLE_BYTES = 16 * 1024 ** 2
/** A database that writes as fast as we copy does not get better with more. */
const PASSES_MAX = 6
/** Moves whose files are remembered; of others they are compared once more. */
const REMEMBERED_MAX = 8
/** A disk in trouble. */
const SYNC_TIMEOUT_MS = 600_000

interface Totals {
  sizeBytes: number
  writtenBytes: number
  passes: number
}

export class Relocations {
  /** What of each directory was found equal, the last used one last. */
  readonly #seen = new Map<string, Seen>()

  /** @throws MaasError DIRECTORY_UNFIT, FS_*, CANCELLED, what the plug-in throws */
  async relocate(plugin: SourcePlugin, params: Params, context: PluginContext): Promise<Result> {
    const { directory, to, id, phase } = params
    if (phase === 'look') return lookAt(params)
    openTarget(to, id)
    // A pass removes what the volume does not have.
    await requireOwnTree(to, id)
    requirePassage(to, join(directory, 'data'))
    const totals: Totals = { sizeBytes: 0, writtenBytes: 0, passes: 0 }
    const marker = readMarker(to)
    if (phase === 'finish' && marker !== null && marker.stoppedAt !== null) {
      // It was stopped before the agent ended, or before its answer was heard.
      return this.#finish(plugin, params, { context, totals, stoppedAt: marker.stoppedAt })
    }
    if (phase === 'copy') writeMarker(to, { id, stoppedAt: null })
    const usedBytes = await directorySize(to)
    requireSpace(to, Math.max(0, (await directorySize(directory)) - usedBytes))
    await this.#passes(params, context, totals)
    if (phase === 'copy') return { ...totals, stoppedMs: 0 }
    const place = { engine: params.engine, id, directory }
    // A checkpoint now is one that the stop has not to wait for.
    await writeOut(() => plugin.mark({ ...place, connection: null }, context))
    const stoppedAt = Date.now()
    writeMarker(to, { id, stoppedAt })
    return this.#finish(plugin, params, { context, totals, stoppedAt })
  }

  #remember(to: string): Seen {
    const seen = this.#seen.get(to) ?? new Map<string, string>()
    this.#seen.delete(to)
    this.#seen.set(to, seen)
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= REMEMBERED_MAX) break
      this.#seen.delete(oldest)
    }
    return seen
  }

  async #finish(
    plugin: SourcePlugin,
    params: Params,
    work: {
      readonly context: PluginContext
      readonly totals: Totals
      readonly stoppedAt: number
    },
  ): Promise<Result> {
    const { engine, id, directory } = params
    const { context, totals, stoppedAt } = work
    await plugin.deactivate({ engine, id, directory, immediate: false }, context)
    const before = totals.writtenBytes
    await this.#pass({ ...params, bytesPerSecond: null }, { context, totals, still: true })
    const writtenBytes = totals.writtenBytes - before
    return { ...totals, writtenBytes, stoppedMs: Math.max(0, Date.now() - stoppedAt) }
  }

  async #passes(params: Params, context: PluginContext, totals: Totals): Promise<void> {
    let left = Infinity
    while (totals.passes < PASSES_MAX && left > LITTLE_BYTES) {
      const before = totals.writtenBytes
      await this.#pass(params, { context, totals, still: false })
      const written = totals.writtenBytes - before
      // Not much less than the last time: it writes as fast as this copies.
      if (written > left * 0.8) return
      left = written
    }
  }

  async #pass(
    { directory, to, bytesPerSecond }: Params,
    work: { readonly context: PluginContext; readonly totals: Totals; readonly still: boolean },
  ): Promise<void> {
    const { context, totals, still } = work
    const seen = this.#remember(to)
    const bytesTotal = await directorySize(directory)
    const beganMs = performance.now()
    let bytesDone = 0
    const passed = await copyPass({
      from: directory,
      to,
      seen,
      still,
      keep: new Set([markerPath('')]),
      signal: context.signal,
      onBytes: async (bytes) => {
        bytesDone += bytes
        const phase = still ? 'switch' : `copy ${totals.passes + 1}`
        context.progress({ phase, bytesDone, bytesTotal: Math.max(bytesTotal, bytesDone) })
        if (bytesPerSecond === null) return
        const aheadMs = (bytesDone / bytesPerSecond) * 1000 - (performance.now() - beganMs)
        if (aheadMs > 0) await delay(aheadMs, undefined, { signal: context.signal })
      },
    })
    await runProgram(['sync', '--file-system', to], { timeoutMs: SYNC_TIMEOUT_MS })
    totals.sizeBytes = passed.sizeBytes
    totals.writtenBytes += passed.writtenBytes
    totals.passes += 1
  }
}

/** As a copy would find it; nothing is made. */
async function lookAt({ directory, to, id }: Params): Promise<Result> {
  const isThere = checkTarget(to, id)
  if (isThere) await requireOwnTree(to, id)
  requirePassage(to, join(directory, 'data'))
  const sizeBytes = await directorySize(directory)
  const usedBytes = isThere ? await directorySize(to) : 0
  requireSpace(isThere ? to : dirname(to), Math.max(0, sizeBytes - usedBytes))
  return { sizeBytes, writtenBytes: 0, passes: 0, stoppedMs: 0 }
}

/** One that does not run has nothing to write out. */
async function writeOut(mark: () => Promise<unknown>): Promise<void> {
  try {
    await mark()
  } catch (error) {
    if (!isMaasError(error, 'DATABASE_UNREACHABLE')) throw error
  }
}

/**
 * Removes what `relocate` made for this id, and nothing else: nothing when another database lies
 * in it, or when something is mounted there. By a program that follows no link and leaves no file
 * system; that alone does not do, for it enters what is named to it.
 *
 * @throws MaasError DIRECTORY_UNFIT
 */
export async function discard(
  { directory, id }: DatabaseParams<'database.discard'>,
  signal: AbortSignal,
): Promise<DatabaseResult<'database.discard'>> {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) return { removed: false }
  const owner = readMarker(directory)
  if (owner?.id !== id) {
    const message = `${directory} was not made for ${id}, and is left as it is`
    throw new MaasError('DIRECTORY_UNFIT', message, { directory, owner: owner?.id ?? '' })
  }
  await requireOwnTree(directory, id)
  // The marker goes last: a removal that is cut short is repeated.
  const paths = (await readdir(directory)).map((name) => join(directory, name))
  const rest = paths.filter((path) => path !== markerPath(directory))
  const remove = ['rm', '-rf', '--one-file-system', '--']
  if (rest.length > 0) await runProgram([...remove, ...rest], { timeoutMs: null, signal })
  // Versions before this one moved to the root of a disk too: its mount point stays.
  const last = isMountPoint(directory, readMounts()) ? markerPath(directory) : directory
  await runProgram([...remove, last], { timeoutMs: null, signal })
  return { removed: true }
}
