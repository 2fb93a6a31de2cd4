/**
 * The life of an engine: open the pool, bring the overlay back, serve FUSE from several threads
 * and NBD, the kernel's too, from this one, change what it serves on request, and end with
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
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import type { MediumId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { Throttle } from '@openmaas/kernel/throttle'
import { PoolReader } from '@openmaas/pool/pool/reader'
import { resendUnanswered } from '@openmaas/protocols/fuse/serve-descriptor'
import { type Attachment, loadMedium, type MediumRecord } from '../media/record.ts'
import { controlSocketOf } from '../media/runtime-directory.ts'
import { prepareStack } from '../stack/prepare-stack.ts'
import { passAwaited, ThrottledDevice } from '../stack/throttled-device.ts'
import { serveControl } from './control.ts'
import { FuseThreads } from './fuse-threads.ts'
import { FUSE_FD, KEY_FD, startKeeper } from './keeper.ts'
import { KernelDisk } from './kernel-disk.ts'
import { exportMedium, type MediumExport } from './nbd.ts'
import { ServedMedium } from './served-medium.ts'

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
  readonly #end: () => void
  readonly #fail: (error: unknown) => void
  readonly #record: MediumRecord
  /** Of a medium with a limit: all that serve it keep it together. */
  readonly #throttle: SharedArrayBuffer | undefined
  readonly #served: ServedMedium
  #nbd: MediumExport | undefined
  #kernelDisk: KernelDisk | undefined
  #controlServer: Server | undefined
  #stopping = false
  /** One change of what is served at a time, and the end behind the last of them. */
  #changing: Promise<unknown> = Promise.resolve()

  private constructor(options: EngineOptions, record: MediumRecord, reader: PoolReader) {
    this.#options = options
    this.#record = record
    const { bytesPerSecond } = record
    this.#throttle = bytesPerSecond === undefined ? undefined : Throttle.allocate(bytesPerSecond)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    this.#fail = reject
    const fs = new NodeFs()
    const brick = path.dirname(path.dirname(options.mediumDirectory))
    const attached = record.attachment?.fuseMount !== undefined
    this.#served = new ServedMedium({
      fs,
      brick,
      record,
      stack: prepareStack({ fs, brick, reader, record }),
      threads: attached ? this.#makeThreads() : undefined,
      lost: reject,
    })
  }

  #makeThreads(): FuseThreads {
    return new FuseThreads({
      warm: this.#options.warm ?? [],
      throttle: this.#throttle,
      onFailure: report,
      onUnmounted: () => this.requestStop(),
      onLost: this.#fail,
    })
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

  async #begin(): Promise<void> {
    const attachment = this.#record.attachment
    const served = this.#served
    served.begin()
    const attached = attachment?.fuseMount !== undefined
    if (attached && this.#options.generation > 1) resendUnanswered(FUSE_FD)
    if (attachment?.nbd !== undefined || attachment?.kernelNbd !== undefined) {
      await this.#serveNbd(attachment)
    }
    if (attachment !== undefined) {
      this.#controlServer = serveControl(controlSocketOf(attachment.runtimeDirectory), {
        status: () => ({ generation: this.#options.generation, ...served.counters() }),
        freeze: (wish) => this.#change(() => served.freeze(wish)),
        rebase: (request) => this.#change(() => served.rebase(request)),
        resize: async () => served.resize(),
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
    const opened = this.#served.openDevice()
    const throttle = this.#throttle && new Throttle(this.#throttle)
    const device = throttle ? new ThrottledDevice(opened, passAwaited(throttle)) : opened
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

  #change<T>(work: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(work)
    this.#changing = changed.catch(() => undefined) // The asker is told.
    return changed
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
    await this.#served.close()
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
