/**
 * The life of an engine: open the pool, bring the overlay back, serve FUSE from several threads
 * and NBD, the kernel's too, from this one, exchange the overlay on request, and end with
 * everything flushed.
 *
 * Memory: per medium about 60 MB for Node and 25 MB per thread, plus the chunk caches
 * (stack/device-stack.ts) and 8 KiB per 128 MiB of the disk that has been written.
 */
import path from 'node:path'
import process from 'node:process'
import type { Worker } from 'node:worker_threads'
import type { Server } from 'node:net'
import { systemClock } from '@openmaas/kernel/clock'
import type { SyncBlockDevice } from '@openmaas/kernel/block-device'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import type { MediumId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { PoolReader } from '@openmaas/pool/pool/reader'
import { resendUnanswered } from '@openmaas/protocols/fuse/serve-descriptor'
import { type Attachment, loadMedium, type MediumRecord } from '../media/record.ts'
import { controlSocketOf } from '../media/runtime-directory.ts'
import { DeviceStack } from '../stack/device-stack.ts'
import { type PreparedStack, prepareStack } from '../stack/prepare-stack.ts'
import { serveControl } from './control.ts'
import {
  CONTROL_WORDS,
  type FuseThreadMessage,
  type FuseThreadStart,
  SLOT,
} from './thread-messages.ts'
import { FUSE_FD, KEY_FD, startKeeper } from './keeper.ts'
import { freezeTop } from './freeze.ts'
import { KernelDisk } from './kernel-disk.ts'
import { FUSE_THREADS, startFuseThread } from './warm-threads.ts'
import { exportMedium, ExchangeableDevice, type MediumExport } from './nbd.ts'

const KEEPER_LOOK_MS = 1000

export interface EngineOptions {
  readonly mediumDirectory: string
  readonly masterKey: Buffer
  /** 1 for the first engine of the medium; later ones ask for unanswered requests. */
  readonly generation: number
  /** FUSE threads that were started ahead. */
  readonly warm?: Worker[]
}

export class Engine {
  readonly ended: Promise<void>
  readonly #options: EngineOptions
  readonly #fs = new NodeFs()
  readonly #brick: string
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4))
  readonly #end: () => void
  readonly #fail: (error: unknown) => void
  #record: MediumRecord
  #reader: PoolReader
  #stack: PreparedStack
  #threads: Promise<'unmounted' | 'stopped'>[] = []
  #nbd: MediumExport | undefined
  #kernelDisk: KernelDisk | undefined
  /** This thread's own stack, under the NBD export and the kernel's disk. */
  #device: SyncBlockDevice | undefined
  #exchangeable: ExchangeableDevice | undefined
  #controlServer: Server | undefined
  #stopping = false
  #changing = Promise.resolve()

  private constructor(options: EngineOptions, record: MediumRecord, reader: PoolReader) {
    this.#options = options
    this.#record = record
    this.#reader = reader
    this.#brick = path.dirname(path.dirname(options.mediumDirectory))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    this.#fail = reject
    this.#stack = this.#prepare()
  }

  /** @throws MaasError of the pool or the overlay; nothing is served then */
  static async start(options: EngineOptions): Promise<Engine> {
    const fs = new NodeFs()
    const brick = path.dirname(path.dirname(options.mediumDirectory))
    const record = loadMedium(fs, brick, path.basename(options.mediumDirectory) as MediumId)
    const unlock = { masterKey: options.masterKey }
    const reader = await PoolReader.open({ path: brick, unlock, fs, clock: systemClock })
    const engine = new Engine(options, record, reader)
    await engine.#begin()
    return engine
  }

  #prepare(): PreparedStack {
    return prepareStack({
      fs: this.#fs,
      brick: this.#brick,
      reader: this.#reader,
      record: this.#record,
    })
  }

  async #begin(): Promise<void> {
    const attachment = this.#record.attachment
    if (attachment?.fuseMount !== undefined) {
      this.#startThreads()
      if (this.#options.generation > 1) resendUnanswered(FUSE_FD)
    }
    if (attachment?.nbd !== undefined || attachment?.kernelNbd !== undefined) {
      await this.#serveNbd(attachment)
    }
    if (attachment !== undefined) {
      this.#controlServer = serveControl(controlSocketOf(attachment.runtimeDirectory), {
        status: () => ({
          generation: this.#options.generation,
          requests: Atomics.load(this.#control, SLOT.requests),
          failures: Atomics.load(this.#control, SLOT.failures),
          overlayBytes: this.#stack.overlayBytes(),
        }),
        freeze: () => this.#freeze(),
        stop: async () => {
          // Answered before it ends; `ended` waits for what is in flight.
          setImmediate(() => this.requestStop())
          return {}
        },
      })
    }
    setInterval(() => this.#lookAfterKeeper(process.ppid), KEEPER_LOOK_MS).unref()
  }

  /** The NBD export and the kernel's disk, both served by this thread. */
  async #serveNbd({ nbd, kernelNbd }: Attachment): Promise<void> {
    this.#device = DeviceStack.open(this.#stack.handoff, { fs: this.#fs })
    const device = new ExchangeableDevice(this.#device)
    this.#exchangeable = device
    if (nbd !== undefined) {
      this.#nbd = await exportMedium(nbd, this.#record.id, device, (event) => {
        if (event.type === 'failed') report('nbd', errorToMessage(event.error))
      })
    }
    if (kernelNbd === undefined) return
    this.#kernelDisk = new KernelDisk({
      identity: kernelNbd.identity,
      seen: kernelNbd.device !== undefined,
      device,
      ended: () => this.requestStop(),
      failed: (error) => report('kernel nbd', errorToMessage(error)),
      lost: this.#fail,
    })
  }

  #startThreads(): void {
    Atomics.store(this.#control, SLOT.stop, 0)
    this.#threads = Array.from({ length: FUSE_THREADS }, () => this.#startThread())
    void Promise.all(this.#threads).then((reasons) => {
      if (reasons.includes('unmounted')) this.requestStop()
    }, this.#fail)
  }

  #startThread(): Promise<'unmounted' | 'stopped'> {
    const start: FuseThreadStart = {
      fd: FUSE_FD,
      stack: this.#stack.handoff,
      control: this.#control.buffer as SharedArrayBuffer,
    }
    const worker = this.#options.warm?.pop() ?? startFuseThread()
    worker.postMessage(start)
    return new Promise((resolve, reject) => {
      let reason: 'unmounted' | 'stopped' | undefined
      worker.on('message', (message: FuseThreadMessage) => {
        if (message.kind === 'end') reason = message.reason
        else report(message.operation, message.error)
      })
      worker.on('error', reject)
      worker.on('exit', () => {
        if (reason === undefined) reject(new Error('a FUSE thread ended without a reason'))
        else resolve(reason)
      })
    })
  }

  /** Requests wait in the kernel while the threads are down. */
  async #stopThreads(): Promise<void> {
    Atomics.store(this.#control, SLOT.stop, 1)
    await Promise.all(this.#threads)
    this.#threads = []
  }

  /** Makes the top overlay immutable and puts an empty one on it; one at a time. */
  async #freeze(): Promise<{ layers: MediumRecord['layers'][number][] }> {
    const frozen = this.#changing.then(async () => {
      if (this.#threads.length > 0) await this.#stopThreads()
      // From here to the new stack nothing waits, so no NBD request comes in between.
      this.#closeStack()
      try {
        // As it stands now: plug has written to the record since this engine read it. Whoever asks
        // for the freeze holds the medium's lock, so nobody else writes at this moment.
        const record = loadMedium(this.#fs, this.#brick, this.#record.id)
        this.#record = freezeTop(this.#fs, this.#brick, record)
      } finally {
        this.#stack = this.#prepare()
        if (this.#exchangeable !== undefined) {
          this.#device = DeviceStack.open(this.#stack.handoff, { fs: this.#fs })
          this.#exchangeable.exchange(this.#device)
        }
        if (this.#record.attachment?.fuseMount !== undefined) this.#startThreads()
      }
      return { layers: [...this.#record.layers] }
    })
    this.#changing = frozen.then(
      () => undefined,
      () => undefined, // The asker is told; the next change starts from what stands on disk.
    )
    return frozen
  }

  /** Flushes and ends; `ended` resolves when it is done. */
  requestStop(): void {
    if (this.#stopping) return
    this.#stopping = true
    void this.#changing.then(() => this.#stop()).then(this.#end, this.#fail)
  }

  async #stop(): Promise<void> {
    this.#controlServer?.close()
    await this.#kernelDisk?.close()
    await this.#nbd?.close()
    if (this.#threads.length > 0) await this.#stopThreads()
    this.#closeStack()
  }

  #closeStack(): void {
    this.#stack.flush()
    this.#device?.close()
    this.#stack.close()
  }

  /** A keeper that was killed is replaced: this engine steps down for one that has a keeper. */
  #lookAfterKeeper(parent: number): void {
    if (parent === this.#initialParent || this.#stopping) return
    this.#stopping = true
    void this.#changing
      .then(() => this.#stop())
      .then(() => {
        const attached = this.#record.attachment?.fuseMount !== undefined
        startKeeper({
          entry: process.argv[1]!,
          mediumDirectory: this.#options.mediumDirectory,
          ...(attached && { fuseFd: FUSE_FD }),
          keyFd: KEY_FD,
          logPath: path.join(this.#options.mediumDirectory, 'engine.log'),
        })
      })
      .then(this.#end, this.#fail)
  }

  readonly #initialParent = process.ppid
}

function report(operation: string, error: ErrorMessage): void {
  process.stderr.write(`${JSON.stringify({ operation, ...error })}\n`)
}
