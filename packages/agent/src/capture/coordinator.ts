/**
 * Runs the lanes of one capture: starts the threads, routes subtrees from busy lanes to idle ones
 * and their results back, and collects what is left at the end. Touches no file.
 */
import type { Worker } from 'node:worker_threads'
import { unreachable } from '@openmaas/kernel/assert'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { SealedPack } from '@openmaas/pool/pool/types'
import { wantsHelp } from './large-file.ts'
import { WarmLanes } from './warm-lanes.ts'
import type {
  DirectoryResult,
  DirectoryTask,
  FromLane,
  LaneReport,
  LaneWorkerData,
  LargeFileOffer,
  RootResult,
  ToLane,
} from './messages.ts'

/** How long ended lanes get to close their files before their threads are stopped. */
const STOP_WAIT_MS = 5_000

export interface CoordinatorOptions {
  readonly workers: readonly LaneWorkerData[]
  readonly rootTask: DirectoryTask
  readonly onSealed: (pack: SealedPack) => void
  readonly signal?: AbortSignal | undefined
  readonly warm?: WarmLanes | undefined
}

export interface CoordinatorResult {
  readonly root: RootResult
  readonly reports: readonly LaneReport[]
}

interface LaneThread {
  readonly worker: Worker
  sent: number
  idle: boolean
  report: LaneReport | undefined
  exited: Promise<void>
}

/** Where a result goes: the lane that gave the task away, or nobody: the root. */
interface Origin {
  readonly lane: LaneThread
  readonly ticket: number
}

const ROOT_TICKET = 0

export class Coordinator {
  readonly #options: CoordinatorOptions
  readonly #control: Int32Array
  readonly #lanes: LaneThread[] = []
  readonly #queue: { task: DirectoryTask; ticket: number }[] = []
  readonly #origins = new Map<number, Origin>()
  readonly #helpWanted = new Set<LargeFileOffer>()
  #nextTicket = ROOT_TICKET + 1
  #rootResult: DirectoryResult | undefined
  #ending = false
  readonly #done = Promise.withResolvers<CoordinatorResult>()

  constructor(options: CoordinatorOptions) {
    this.#options = options
    this.#control = new Int32Array(options.workers[0]!.setup.hungry)
  }

  /** @throws MaasError what failed a lane, SOURCE_UNREADABLE, CANCELLED; all lanes have ended */
  async run(): Promise<CoordinatorResult> {
    const { workers, rootTask, signal } = this.#options
    const cancel = (): void => this.#fail(new MaasError('CANCELLED', 'the capture was cancelled'))
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted === true) cancel()
    try {
      const threads = (this.#options.warm ?? new WarmLanes(0)).take(workers.length)
      for (const [i, data] of workers.entries()) this.#start(threads[i]!, data)
      this.#queue.push({ task: rootTask, ticket: ROOT_TICKET })
      // Lanes that have ended have closed their files; their threads go by themselves.
      return await this.#done.promise
    } catch (error) {
      await this.#stop()
      throw error
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  #start(worker: Worker, data: LaneWorkerData): void {
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', () => resolve())
    })
    const lane: LaneThread = { worker, sent: 0, idle: false, report: undefined, exited }
    this.#lanes.push(lane)
    worker.on('message', (message: FromLane) => this.#receive(lane, message))
    worker.on('error', (error) => this.#fail(error))
    worker.on('exit', () => {
      if (lane.report === undefined) this.#fail(new Error('a lane ended before its time'))
    })
    this.#send(lane, { kind: 'setup', data })
  }

  async #stop(): Promise<void> {
    Atomics.store(this.#control, 1, 1)
    // A lane that waits for messages wakes up and sees that the run is over.
    for (const lane of this.#lanes) {
      if (lane.report === undefined) this.#send(lane, { kind: 'stop' })
    }
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(() => late.resolve(), STOP_WAIT_MS)
    await Promise.race([Promise.all(this.#lanes.map(({ exited }) => exited)), late.promise])
    clearTimeout(timer)
    await Promise.all(this.#lanes.map(({ worker }) => worker.terminate()))
  }

  #fail(error: unknown): void {
    this.#done.reject(error)
  }

  #send(lane: LaneThread, message: ToLane): void {
    lane.sent += 1
    lane.worker.postMessage(message)
  }

  #receive(lane: LaneThread, message: FromLane): void {
    switch (message.kind) {
      case 'idle':
        if (message.handled === lane.sent && !lane.idle) this.#setIdle(lane)
        return
      case 'offer': {
        const ticket = this.#nextTicket
        this.#nextTicket += 1
        this.#origins.set(ticket, { lane, ticket: message.ticket })
        this.#queue.push({ task: message.task, ticket })
        this.#dispatch()
        return
      }
      case 'result':
        this.#route(message.ticket, message.result)
        return
      case 'helpWanted':
        this.#helpWanted.add(message.offer)
        this.#dispatch()
        return
      case 'sealed':
        this.#options.onSealed(message.pack)
        return
      case 'ended':
        lane.report = message.report
        this.#laneEnded(message.root)
        return
      case 'failed':
        this.#fail(reviveError(message.error))
        return
      default:
        unreachable(message)
    }
  }

  /** An idle lane counts as hungry until work is promised to it, by a lane or from here. */
  #setIdle(lane: LaneThread): void {
    lane.idle = true
    Atomics.add(this.#control, 0, 1)
    this.#dispatch()
  }

  #dispatch(): void {
    if (this.#ending) return
    for (const lane of this.#lanes) {
      if (!lane.idle) continue
      const next = this.#queue.shift()
      const help = next === undefined ? this.#nextHelp() : undefined
      if (next === undefined && help === undefined) return
      lane.idle = false
      // A lane that offered has already taken its count off; what was queued here has not.
      this.#settleHungry()
      if (next !== undefined) this.#send(lane, { kind: 'task', ...next })
      else this.#send(lane, { kind: 'help', offer: help! })
    }
  }

  /** As many are hungry as are idle here: what lanes took off in between is on its way. */
  #settleHungry(): void {
    const idle = this.#lanes.reduce((count, lane) => count + (lane.idle ? 1 : 0), 0)
    Atomics.store(this.#control, 0, Math.max(0, idle - this.#queue.length))
  }

  #nextHelp(): LargeFileOffer | undefined {
    for (const offer of this.#helpWanted) {
      if (wantsHelp(offer.memory)) return offer
      this.#helpWanted.delete(offer)
    }
    return undefined
  }

  #route(ticket: number, result: DirectoryResult | undefined): void {
    if (ticket === ROOT_TICKET) {
      this.#end(result)
      return
    }
    const origin = this.#origins.get(ticket)
    if (origin === undefined) {
      this.#fail(new Error('a result answers no task'))
      return
    }
    this.#origins.delete(ticket)
    this.#send(origin.lane, { kind: 'result', ticket: origin.ticket, result })
  }

  /** All lanes but the first end; it writes the link table and the root when they have. */
  #end(root: DirectoryResult | undefined): void {
    if (root === undefined) {
      this.#fail(new MaasError('SOURCE_UNREADABLE', 'the directory of the source cannot be read'))
      return
    }
    this.#ending = true
    this.#rootResult = root
    for (const lane of this.#lanes.slice(1)) this.#send(lane, { kind: 'end', finish: undefined })
    this.#endFirst()
  }

  #laneEnded(root: RootResult | undefined): void {
    if (root === undefined) this.#endFirst()
    else this.#done.resolve({ root, reports: this.#lanes.map(({ report }) => report!) })
  }

  #endFirst(): void {
    const [first, ...others] = this.#lanes
    if (others.some(({ report }) => report === undefined)) return
    const finish = { root: this.#rootResult!, links: others.map(({ report }) => report!.links) }
    this.#send(first!, { kind: 'end', finish })
  }
}
