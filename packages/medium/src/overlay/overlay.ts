/**
 * An overlay: a writable device over an immutable one. What was written stands in a sparse file
 * of its own; the base is never changed. Files, promises and recovery: docs/formats/overlay.md.
 *
 * One instance serves one thread. The instances of an engine share `OverlayHandoff`, which one
 * thread made by `prepareOverlay` (prepare.ts). Per write:
 *
 *   all grains written already ── yes ──▶ pwrite in place
 *        │ no
 *        ▼
 *   region lock ▶ complete partial grains ▶ pwrite ▶ log lock: dirty record, map ▶ unlock
 *
 * The region lock keeps two first touches of one grain apart; operations that overlap in time and
 * in bytes may take effect in either order, grain by grain, as on any disk.
 */
import { assert } from '@openmaas/kernel/assert'
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { MiB } from '@openmaas/kernel/units'
import { OverlayCommitter } from './committer.ts'
import { pushExtent } from './extents.ts'
import { GRAIN_SIZE, type GrainRun, GrainState } from './format.ts'
import { GrainMap } from './grain-map.ts'
import { openOverlayFiles, type OverlayFiles } from './files.ts'
import { CONTROL, COUNTER, SharedState } from './shared-state.ts'

/** What a thread needs to serve the overlay; cloneable, the buffers are shared. */
export interface OverlayHandoff {
  readonly directory: string
  readonly size: number
  readonly bootId: string
  /** Most bytes of written grains; 0: as much as the file system holds. */
  readonly quotaBytes: number
  readonly map: SharedArrayBuffer
  readonly state: SharedArrayBuffer
}

export interface OverlayDeps {
  readonly fs: Fs
  /** Gives the space of a range back; may do nothing. @throws never */
  readonly punchHole?: (file: FileHandle, offset: number, length: number) => void
}

/** What one region lock guards; a write of FUSE or NBD touches one or two regions. */
const REGION_SIZE = 1 * MiB
const ZEROS = Buffer.alloc(GRAIN_SIZE)

export class Overlay implements SyncBlockDevice {
  readonly size: number
  readonly blockSize = GRAIN_SIZE
  readonly readOnly = false
  /** State of every grain; for sealing and for statistics. */
  readonly map: GrainMap
  readonly #base: SyncBlockDevice
  readonly #deps: OverlayDeps
  readonly #files: OverlayFiles
  readonly #state: SharedState
  readonly #committer: OverlayCommitter
  readonly #quotaGrains: number

  /** The base must outlive the overlay; `close` leaves it open. */
  constructor(handoff: OverlayHandoff, base: SyncBlockDevice, deps: OverlayDeps) {
    assert(base.size === handoff.size, 'an overlay is as large as its base')
    this.size = handoff.size
    this.#base = base
    this.#deps = deps
    this.#files = openOverlayFiles(deps.fs, handoff.directory)
    this.map = new GrainMap(Math.ceil(handoff.size / GRAIN_SIZE), handoff.map)
    this.#state = new SharedState(handoff.state)
    this.#committer = new OverlayCommitter(deps.fs, this.#files, this.#state, this.map, handoff)
    this.#quotaGrains = Math.floor(handoff.quotaBytes / GRAIN_SIZE)
  }

  /** Bytes of written grains. */
  get writtenBytes(): number {
    return this.#state.counters[COUNTER.writtenGrains]! * GRAIN_SIZE
  }

  read(offset: number, target: Buffer): void {
    this.#checkRange(offset, target.length)
    const end = offset + target.length
    const endGrain = Math.ceil(end / GRAIN_SIZE)
    let at = offset
    while (at < end) {
      const grain = Math.floor(at / GRAIN_SIZE)
      const state = this.map.get(grain)
      const runEnd = Math.max(grain + 1, this.map.runEnd(grain, endGrain, state))
      const stop = Math.min(end, runEnd * GRAIN_SIZE)
      const whole = at === offset && stop === end
      const part = whole ? target : target.subarray(at - offset, stop - offset)
      if (state === GrainState.written) this.#readWritten(at, part)
      else if (state === GrainState.zero) part.fill(0)
      else this.#base.read(at, part)
      at = stop
    }
  }

  #readWritten(offset: number, target: Buffer): void {
    const count = this.#deps.fs.read(this.#files.data, target, offset)
    if (count < target.length) {
      throw new MaasError('OVERLAY_INVALID', 'the data file is shorter than the device', { offset })
    }
  }

  /** @throws MaasError FS_NO_SPACE, OVERLAY_FULL, OVERLAY_FAILED */
  write(offset: number, source: Buffer): void {
    this.#checkRange(offset, source.length)
    this.#committer.checkUsable()
    const end = offset + source.length
    let at = offset
    while (at < end) {
      const region = Math.floor(at / REGION_SIZE)
      const stop = Math.min(end, (region + 1) * REGION_SIZE)
      const whole = at === offset && stop === end
      const part = whole ? source : source.subarray(at - offset, stop - offset)
      this.#writeInRegion(region, at, part)
      at = stop
    }
  }

  #writeInRegion(region: number, offset: number, source: Buffer): void {
    const end = offset + source.length
    const first = Math.floor(offset / GRAIN_SIZE)
    const last = Math.ceil(end / GRAIN_SIZE) // Behind the last grain touched.
    if (this.map.isAll(first, last, GrainState.written)) {
      this.#deps.fs.write(this.#files.data, source, offset)
      return
    }
    this.#state.lockRegions(region, region)
    try {
      this.#checkQuota(first, last)
      this.#complete(first * GRAIN_SIZE, offset)
      this.#complete(end, Math.min(last * GRAIN_SIZE, this.size))
      this.#deps.fs.write(this.#files.data, source, offset)
      this.#committer.record({ first, count: last - first, state: GrainState.written })
    } finally {
      this.#state.unlockRegions(region, region)
    }
  }

  /** Before the first write to a part of a grain: the rest comes from what is below. */
  #complete(start: number, end: number): void {
    if (start === end) return
    const state = this.map.get(Math.floor(start / GRAIN_SIZE))
    if (state === GrainState.written) return
    const rest = Buffer.alloc(end - start)
    if (state === GrainState.absent) this.#base.read(start, rest)
    this.#deps.fs.write(this.#files.data, rest, start)
  }

  /** Other threads may be between this check and their record: over by 1 MiB each at most. */
  #checkQuota(first: number, end: number): void {
    if (this.#quotaGrains === 0) return
    const added = end - first - this.map.count(first, end, GrainState.written)
    if (this.#state.counters[COUNTER.writtenGrains]! + added > this.#quotaGrains) {
      const quotaBytes = this.#quotaGrains * GRAIN_SIZE
      throw new MaasError('OVERLAY_FULL', 'the overlay has used its quota', { quotaBytes })
    }
  }

  /** Whole grains read as zeros afterwards and cost no space; parts of grains are left alone. */
  trim(offset: number, length: number): void {
    this.#checkRange(offset, length)
    this.#committer.checkUsable()
    const { first, end } = this.#wholeGrains(offset, length)
    if (first < end) this.#zeroGrains(first, end)
  }

  writeZeroes(offset: number, length: number): void {
    this.#checkRange(offset, length)
    this.#committer.checkUsable()
    const { first, end } = this.#wholeGrains(offset, length)
    if (first >= end) return this.#writeZeroBytes(offset, offset + length)
    this.#writeZeroBytes(offset, first * GRAIN_SIZE)
    this.#zeroGrains(first, end)
    this.#writeZeroBytes(Math.min(end * GRAIN_SIZE, this.size), offset + length)
  }

  /** The grains that lie in the range whole; a last grain cut by the device's end counts. */
  #wholeGrains(offset: number, length: number): { first: number; end: number } {
    const stop = offset + length
    const end = stop === this.size ? this.map.grainCount : Math.floor(stop / GRAIN_SIZE)
    return { first: Math.ceil(offset / GRAIN_SIZE), end }
  }

  /** For the ends of a range that are no whole grain: at most two pieces. */
  #writeZeroBytes(start: number, end: number): void {
    let at = start
    while (at < end) {
      const grain = Math.floor(at / GRAIN_SIZE)
      const stop = Math.min(end, (grain + 1) * GRAIN_SIZE)
      const zero = this.map.get(grain) === GrainState.zero
      if (!zero) this.write(at, ZEROS.subarray(0, stop - at))
      at = stop
    }
  }

  #zeroGrains(first: number, end: number): void {
    if (this.map.isAll(first, end, GrainState.zero)) return
    const stop = Math.min(end * GRAIN_SIZE, this.size)
    const firstRegion = Math.floor((first * GRAIN_SIZE) / REGION_SIZE)
    const lastRegion = Math.floor((stop - 1) / REGION_SIZE)
    this.#state.lockRegions(firstRegion, lastRegion)
    try {
      this.#committer.record({ first, count: end - first, state: GrainState.zero })
      this.#deps.punchHole?.(this.#files.data, first * GRAIN_SIZE, stop - first * GRAIN_SIZE)
    } finally {
      this.#state.unlockRegions(firstRegion, lastRegion)
    }
  }

  /**
   * Everything completed before the call survives a power loss.
   * @throws MaasError FS_*, OVERLAY_FAILED
   */
  flush(): void {
    this.#committer.flush()
  }

  /** Rewrites the journal as short as it can be, durably: before freezing. */
  compact(): void {
    this.#committer.compact()
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    this.#checkRange(offset, length)
    const extents: BlockExtent[] = []
    const end = offset + length
    const grains = this.map.runs(Math.floor(offset / GRAIN_SIZE), Math.ceil(end / GRAIN_SIZE))
    for (const run of grains) {
      const start = Math.max(offset, run.first * GRAIN_SIZE)
      const stop = Math.min(end, (run.first + run.count) * GRAIN_SIZE)
      if (run.state === GrainState.absent) {
        for (const extent of this.#base.blockStatus(start, stop - start))
          pushExtent(extents, extent)
      } else {
        const zero = run.state === GrainState.zero
        pushExtent(extents, { offset: start, length: stop - start, hole: zero, zero })
      }
    }
    return extents
  }

  /** Runs of grains that differ from the base, in order; for sealing. */
  *changedRuns(): Generator<GrainRun> {
    for (const run of this.map.runs()) if (run.state !== GrainState.absent) yield run
  }

  /** True when a flush failed: the overlay only reads. */
  get failed(): boolean {
    return Atomics.load(this.#state.control, CONTROL.failed) !== 0
  }

  /** Closes this thread's files. What was not flushed stays in the page cache. */
  close(): void {
    this.#files.close()
  }

  #checkRange(offset: number, length: number): void {
    assert(offset >= 0 && length >= 0 && offset + length <= this.size, 'the range is in the device')
  }
}
