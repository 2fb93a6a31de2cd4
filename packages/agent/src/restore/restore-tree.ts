/**
 * Restores a tree snapshot, or parts of it, into a directory.
 *
 *   1 make the directories        one thread, parents first
 *   2 restore entries             all lanes, units claimed by a counter
 *   3 restore large files         all lanes on each, segments claimed by a counter
 *   4 link further names          one thread
 *   5 directories get metadata    one thread, children first
 *
 * Every name is resolved beneath the open target without following links, so nothing in the target
 * can lead the restore out of it. What stands under its own name is complete; interrupted at any
 * point, a second run goes on.
 */
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { makeDirectories as makeTargetDirectories } from '@openmaas/kernel/make-directories'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { Throttle } from '@openmaas/kernel/throttle'
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import { getxattr } from '@openmaas/kernel/posix/xattr'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { addWeights, type Weights, zeroWeights } from '@openmaas/pool/tree/weights'
import { addEntryWeights } from '@openmaas/pool/tree/entry'
import { makeRestoreCounters, sumRestoreCounters } from './counters.ts'
import { type DirectoryPhase, finishDirectories, makeDirectories } from './directories.ts'
import { RestoreLanes } from './lanes.ts'
import { restoreLargeFiles } from './large-files.ts'
import { LinkRestorer } from './links.ts'
import { DIRECTORY_STATE, type OwnerNames, type RestoreSetup } from './messages.ts'
import { RestoreLane } from './restore-lane.ts'
import { openSource, type RestoreSource } from './source.ts'
import type { RestoreOptions, RestoreProgress, RestoreResult } from './types.ts'
import { WARNINGS_KEPT_MAX } from './warnings.ts'

const LANES_MAX = 8
const PROGRESS_INTERVAL_MS = 100

interface SelectedRoots {
  readonly roots: RestoreSetup['roots']
  readonly weights: Weights
}

/**
 * @throws MaasError RESTORE_NOT_IN_POINT, RESTORE_CONFLICT, RESTORE_ESCAPE, CANCELLED, FS_*,
 *   CHUNK_MISSING, RECORD_INVALID, TREE_INVALID
 */
export async function restoreTree(options: RestoreOptions): Promise<RestoreResult> {
  const startedMs = performance.now()
  const { reader, snapshot, onProgress, signal } = options
  const treeRoot = Buffer.from(snapshot.root, 'hex')
  const tree = new TreeReader(reader.chunks, treeRoot)
  const selected = selectRoots(tree, options.paths)
  const lanes = Math.max(1, Math.min(options.lanes ?? availableParallelism(), LANES_MAX))
  const counters = makeRestoreCounters(lanes + 1)
  let phase: RestoreProgress['phase'] = 'restoring'
  const { names: entriesTotal, bytes: bytesTotal } = selected.weights
  const progress = (): RestoreProgress => ({
    phase,
    ...sumRestoreCounters(counters),
    entriesTotal,
    bytesTotal,
  })
  if (options.dryRun === true) return makeResult(progress(), [], 0, startedMs)
  const setup = makeSetup(options, { selected, counters, treeRoot })
  const chunks = await openSource(setup.reader, new NodeFs())
  const run = startRun(setup, chunks, lanes, options)
  // After all that may refuse: a timer that nobody clears keeps the process alive.
  const timer = onProgress && setInterval(() => onProgress(progress()), PROGRESS_INTERVAL_MS)
  const cancel = (): void => run.fail(new MaasError('CANCELLED', 'the restore was cancelled'))
  signal?.addEventListener('abort', cancel)
  if (signal?.aborted === true) cancel()
  try {
    await run.restore(() => {
      phase = 'finishing'
    })
    phase = 'done'
  } finally {
    signal?.removeEventListener('abort', cancel)
    await run.close()
    clearInterval(timer)
    onProgress?.(progress())
  }
  const { warnings, warningCount } = run
  return makeResult(progress(), warnings, warningCount, startedMs)
}

function makeResult(
  progress: RestoreProgress,
  found: RestoreResult['warnings'],
  warningCount: number,
  startedMs: number,
): RestoreResult {
  const warnings = found
    .toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    .slice(0, WARNINGS_KEPT_MAX)
  const durationMs = performance.now() - startedMs
  const status = warningCount === 0 ? 'complete' : 'warnings'
  return {
    progress: { ...progress, warnings: warningCount },
    status,
    warningCount,
    warnings,
    durationMs,
  }
}

/** @throws MaasError RESTORE_NOT_IN_POINT; RESTORE_CONFLICT when two have the same last name */
function selectRoots(tree: TreeReader, paths: RestoreOptions['paths']): SelectedRoots {
  const weights = zeroWeights()
  if (paths === undefined || paths.length === 0) {
    addWeights(weights, tree.weights)
    return { roots: [{ raw: tree.rootEntry.raw, name: '' }], weights }
  }
  const roots: { raw: Buffer; name: string }[] = []
  for (const path of paths) {
    const bytes = typeof path === 'string' ? Buffer.from(path) : path
    const entry = tree.lookup(bytes)
    const shown = bytes.toString('utf8')
    if (entry === undefined) {
      throw new MaasError('RESTORE_NOT_IN_POINT', `${shown} is not in the point`, { path: shown })
    }
    const name = entry === tree.rootEntry ? '' : entry.name.toString('latin1')
    if (roots.some((root) => root.name === name) || (name === '' && paths.length > 1)) {
      throw new MaasError('RESTORE_CONFLICT', `${shown} would meet another path in the target`, {
        path: shown,
      })
    }
    const inode = tree.resolve(entry)
    addEntryWeights(inode.raw, 0, weights)
    roots.push({ raw: entry.raw, name })
  }
  return { roots, weights }
}

function makeSetup(
  options: RestoreOptions,
  parts: {
    readonly selected: SelectedRoots
    readonly counters: SharedArrayBuffer
    readonly treeRoot: Buffer
  },
): Omit<RestoreSetup, 'lane' | 'removeAcls'> {
  const { reader, snapshot, conflict = 'fail' } = options
  const { roots, weights } = parts.selected
  return {
    reader: reader.handoff(0),
    treeRoot: parts.treeRoot,
    target: resolve(options.target),
    roots,
    conflict,
    owners: ownersOf(options, () => reader.manifest(snapshot)),
    counters: parts.counters,
    control: new SharedArrayBuffer(12),
    // The target counts, too.
    directories: new SharedArrayBuffer(weights.directories + 1),
  }
}

function ownersOf(
  { owners = 'auto' }: RestoreOptions,
  manifest: () => { readonly users?: OwnerNames['users']; readonly groups?: OwnerNames['groups'] },
): OwnerNames | undefined {
  if (owners === 'none' || process.getuid?.() !== 0) return undefined
  if (owners === 'numbers') return { users: {}, groups: {} }
  const { users = {}, groups = {} } = manifest()
  return { users, groups }
}

/** Makes the target when it is not there. @returns its state */
function prepareTarget(target: string): number {
  try {
    // Made by us: nobody else looks in before the end.
    if (makeTargetDirectories(target, 0o700) !== undefined) return DIRECTORY_STATE.fresh
    return readdirSync(target).length === 0 ? DIRECTORY_STATE.fresh : DIRECTORY_STATE.merged
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new MaasError('FS_EXISTS', `${target} is not a directory`, { path: target })
    }
    throw fsError(code, 'make directory', target, error)
  }
}

/** @param chunks belong to the run, or are closed when it cannot begin */
function startRun(
  setup: ConstructorParameters<typeof RestoreRun>[0],
  chunks: RestoreSource,
  lanes: number,
  options: RestoreOptions,
): RestoreRun {
  try {
    return new RestoreRun(setup, chunks, lanes, options)
  } catch (error) {
    chunks.close()
    throw error
  }
}

class RestoreRun {
  readonly #setup: RestoreSetup
  readonly #lanes: RestoreLanes
  readonly #chunks: RestoreSource
  readonly #targetFd: number
  readonly #targetState: number
  readonly #local: RestoreLane

  constructor(
    setup: Omit<RestoreSetup, 'lane' | 'removeAcls'>,
    chunks: RestoreSource,
    lanes: number,
    { reader, warm, bytesPerSecond }: Pick<RestoreOptions, 'reader' | 'warm' | 'bytesPerSecond'>,
  ) {
    this.#targetState = prepareTarget(setup.target)
    const path = cString(setup.target)
    this.#targetFd = checked(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY), 'open', setup.target)
    const name = cString('system.posix_acl_default')
    const removeAcls = getxattr(this.#targetFd, name, Buffer.alloc(65_536)) >= 0
    this.#setup = { ...setup, removeAcls, lane: 0 }
    this.#chunks = chunks
    this.#local = new RestoreLane(this.#setup, this.#targetFd, chunks)
    // Of the lanes alone: this thread must not sleep, and writes next to nothing itself.
    const limit = bytesPerSecond ? { throttle: Throttle.allocate(bytesPerSecond) } : {}
    const setups = Array.from({ length: lanes }, (_, i) => ({
      ...this.#setup,
      ...limit,
      lane: i + 1,
      reader: reader.handoff(i + 1),
    }))
    this.#lanes = new RestoreLanes(setups, warm)
  }

  get warnings(): RestoreResult['warnings'] {
    return [...this.#local.warnings.kept, ...this.#lanes.warnings]
  }

  get warningCount(): number {
    return this.#local.warnings.count + this.#lanes.warningCount
  }

  fail(error: Error): void {
    this.#lanes.fail(error)
  }

  async restore(onFinishing: () => void): Promise<void> {
    const lane = this.#local
    const states = new Uint8Array(this.#setup.directories)
    const parts = { lane, targetFd: this.#targetFd, states, targetState: this.#targetState }
    const phase: DirectoryPhase = parts
    makeDirectories(phase)
    await this.#lanes.run({ kind: 'units' })
    await restoreLargeFiles(lane, this.#targetFd, (task) =>
      this.#lanes.run({ kind: 'large', task }),
    )
    new LinkRestorer(lane, this.#targetFd).restoreAll()
    onFinishing()
    finishDirectories(phase)
  }

  async close(): Promise<void> {
    await this.#lanes.stop()
    this.#chunks.close()
    close(this.#targetFd)
  }
}
