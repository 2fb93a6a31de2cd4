/**
 * What an engine serves, and how that changes while it is used: freezing, growing, and standing on
 * the point that sealed layers have become.
 *
 * Of each change the record is the commit point. It is saved while the threads go on serving the
 * old stack: whatever they take until they stop belongs to the layer that is being frozen. So a
 * kill at any place leaves a record that the next engine stands on, and nothing acknowledged is
 * missing from it.
 */
import { assert } from '@openmaas/kernel/assert'
import { systemClock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import { write } from '@openmaas/kernel/posix/files'
import { forgetSize } from '@openmaas/protocols/fuse/disk-server'
import { loadMedium, type MediumRecord, saveMedium } from '../media/record.ts'
import { DeviceStack } from '../stack/device-stack.ts'
import type { LiveStack } from '../stack/live-stack.ts'
import type { Changed, EngineCounters, EngineRequests } from './control.ts'
import { DiskWork } from './disk-work.ts'
import { dropLayers, findFreeze, finishFreeze, freezeRecord, rebaseRecord } from './freeze.ts'
import type { FuseThreads } from './fuse-threads.ts'
import { FUSE_FD } from './keeper.ts'
import { ExchangeableDevice } from './nbd.ts'

export interface ServedMediumOptions {
  readonly fs: Fs
  readonly brick: string
  readonly record: MediumRecord
  readonly stack: LiveStack
  /** Absent for a medium that is exported but not attached here. */
  readonly threads: FuseThreads | undefined
  /** The stack could not be exchanged: only another engine can go on. */
  readonly lost: (error: unknown) => void
}

export class ServedMedium {
  readonly #options: ServedMediumOptions
  readonly #stack: LiveStack
  /** The engine's main thread's own stack, under the NBD export and the kernel's disk. */
  #device: DeviceStack | undefined
  #exchangeable: ExchangeableDevice | undefined

  readonly #disk: DiskWork

  constructor(options: ServedMediumOptions) {
    this.#options = options
    this.#disk = new DiskWork(options.brick)
    this.#stack = options.stack
  }

  begin(): void {
    this.#options.threads?.serve(this.#stack.handoff)
  }

  /** For clients of the main thread; it stays the same whatever changes below. */
  openDevice(): ExchangeableDevice {
    this.#device = DeviceStack.open(this.#stack.handoff, { fs: this.#options.fs })
    this.#exchangeable = new ExchangeableDevice(this.#device)
    return this.#exchangeable
  }

  counters(): Omit<EngineCounters, 'generation'> {
    const { threads } = this.#options
    return {
      requests: threads?.requests ?? 0,
      failures: threads?.failures ?? 0,
      overlayBytes: this.#stack.overlayBytes(),
    }
  }

  /**
   * @throws MaasError MEDIUM_TOO_DEEP, OVERLAY_FAILED, FS_NO_SPACE…: then nothing has changed
   */
  async freeze({ requestId, sizeBytes }: EngineRequests['freeze']): Promise<Changed> {
    const before = this.#load()
    const known = requestId === undefined ? undefined : findFreeze(before, requestId)
    if (known !== undefined) return this.#finish(before, known)
    const disk = this.#disk
    await disk.perform({ kind: 'flush', overlay: this.#stack.overlay })
    const size = Math.max(this.#stack.size, sizeBytes ?? 0)
    const grows = size > this.#stack.size
    const after = freezeRecord(before, {
      ...(requestId !== undefined && { requestId }),
      ...(grows && { sizeBytes: size }),
    })
    const top = after.layers.at(-1)!
    let next
    try {
      await disk.perform({ kind: 'save', record: dropLayers(before, after) })
      await disk.perform({ kind: 'create', id: top, size })
      next = this.#stack.prepareTop(top, size)
    } catch (error) {
      this.#restore(before)
      throw error
    }
    const changed = await this.#exchange(() => this.#stack.freeze(next, before.layers.at(-1)!))
    const endedAt = Math.floor(systemClock.wallMs())
    if (grows) this.resize()
    try {
      await disk.perform({ kind: 'settle', frozen: changed.frozen })
    } finally {
      changed.release()
    }
    const freeze = requestId === undefined ? undefined : findFreeze(after, requestId)
    if (freeze === undefined) return { layers: after.layers, frozenAt: 0 }
    return this.#finish(this.#load(), freeze, endedAt)
  }

  /** The kernel asks for the size when it is next looked at. */
  resize(): { sizeBytes: number } {
    if (this.#options.threads !== undefined) write(FUSE_FD, forgetSize())
    return { sizeBytes: this.#stack.size }
  }

  /** The change is not made: the record says again what is served. */
  #restore(record: MediumRecord): void {
    const { fs, brick, lost } = this.#options
    try {
      saveMedium(fs, brick, record)
    } catch (error) {
      lost(error) // The next engine stands on the record, whichever it is.
      throw error
    }
  }

  /** @param endedAt when the frozen layer took no more; by default it has not for long */
  async #finish(
    record: MediumRecord,
    { requestId, frozenAt }: { readonly requestId: string; readonly frozenAt: number },
    endedAt = Math.floor(systemClock.wallMs()),
  ): Promise<Changed> {
    const { layers } = record
    if (frozenAt > 0) return { layers, frozenAt }
    await this.#disk.perform({ kind: 'save', record: finishFreeze(record, requestId, endedAt) })
    return { layers, frozenAt: endedAt }
  }

  /** @throws MaasError SNAPSHOT_NOT_FOUND and of the pool: then nothing has changed */
  async rebase({ requestId, snapshotId }: EngineRequests['rebase']): Promise<Changed> {
    const before = this.#load()
    const after = rebaseRecord(before, requestId, snapshotId)
    const count = before.layers.length - after.layers.length
    if (count > 0) {
      const { masterKey } = this.#stack.handoff.reader
      const loaded = await this.#disk.perform({ kind: 'load', masterKey, record: after })
      assert(loaded !== undefined, 'a pool that is loaded is handed over')
      const change = this.#stack.prepareRebase(loaded.reader, loaded.snapshot, count)
      try {
        await this.#disk.perform({ kind: 'save', record: dropLayers(before, after) })
      } catch (error) {
        this.#restore(before)
        throw error
      }
      await this.#exchange(change)
    }
    return { layers: after.layers, frozenAt: 0 }
  }

  /** Everything is durable and closed afterwards. @throws MaasError OVERLAY_FAILED, FS_* */
  async close(): Promise<void> {
    await this.#options.threads?.stop()
    await this.#options.threads?.close()
    await this.#disk.close()
    this.#stack.flush()
    this.#device?.close()
    this.#stack.close()
  }

  /** As it stands now: whoever asks for a change holds the medium's lock, and may have written. */
  #load(): MediumRecord {
    const { fs, brick, record } = this.#options
    return loadMedium(fs, brick, record.id)
  }

  async #exchange<T>(change: () => T): Promise<T> {
    const { threads, fs, lost } = this.#options
    await threads?.stop()
    // From here to the new stack nothing waits, so no NBD request comes in between.
    try {
      const result = change()
      if (this.#exchangeable !== undefined) {
        const device = DeviceStack.open(this.#stack.handoff, { fs })
        this.#exchangeable.exchange(device)
        this.#device?.close()
        this.#device = device
      }
      threads?.serve(this.#stack.handoff)
      return result
    } catch (error) {
      lost(error)
      throw error
    }
  }
}
