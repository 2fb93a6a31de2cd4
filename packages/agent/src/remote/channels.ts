/** All connections of one capture or restore, from the thread that runs it. */
import { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { Throttle } from '@openmaas/kernel/throttle'
import type { PoolTarget } from '@openmaas/protocols/channel/orders'
import { DATA_VERSION } from '@openmaas/protocols/data/frames'
import type { CapturedSnapshot, Commit, Hello, Welcome } from '@openmaas/protocols/data/messages'
import { parseNbdAddress } from '@openmaas/protocols/nbd/listen-address'
import type { AgentIdentity, ChannelSetup, FromChannel, ToChannel } from './channel-messages.ts'
import { type ChannelMemory, makeChannelMemory } from './remote-lane.ts'

export type NodeTarget = Extract<PoolTarget, { kind: 'node' }>

export interface ChannelsOptions {
  readonly target: NodeTarget
  readonly identity: AgentIdentity
  readonly open: Exclude<Hello['open'], { do: 'join' }>
  readonly connections: number
  /** What all connections send together, no faster; null: as fast as it goes. */
  readonly bytesPerSecond: number | null
  readonly signal?: AbortSignal
}

interface Channel {
  readonly worker: Worker
  readonly memory: ChannelMemory
  readonly welcome: Promise<Welcome>
}

export class Channels implements AsyncDisposable {
  readonly #channels: Channel[] = []
  readonly #exits: Promise<unknown>[] = []
  readonly #committed = Promise.withResolvers<CapturedSnapshot>()
  /** Aborted with the first reason why the session cannot go on. */
  readonly #failed = new AbortController()
  readonly #options: ChannelsOptions
  readonly #cancel = (): void => {
    this.#fail(new MaasError('CANCELLED', 'the order was cancelled'))
  }
  readonly #throttle: SharedArrayBuffer | undefined
  #welcome!: Welcome
  #committing = false

  private constructor(options: ChannelsOptions) {
    this.#options = options
    const { bytesPerSecond } = options
    this.#throttle = bytesPerSecond === null ? undefined : Throttle.allocate(bytesPerSecond)
    this.#committed.promise.catch(() => undefined) // Asked for only by a capture.
    options.signal?.addEventListener('abort', this.#cancel)
    if (options.signal?.aborted === true) this.#cancel()
  }

  /** @throws MaasError DATA_UNREACHABLE, SERVER_NOT_TRUSTED, TICKET_*, CANCELLED… */
  static async open(options: ChannelsOptions): Promise<Channels> {
    const channels = new Channels(options)
    try {
      await channels.#open()
      return channels
    } catch (error) {
      await channels[Symbol.asyncDispose]()
      throw channels.failure ?? error
    }
  }

  get welcome(): Welcome {
    return this.#welcome
  }

  /** One for each connection. */
  get memories(): ChannelMemory[] {
    return this.#channels.map(({ memory }) => memory)
  }

  /** Ends the lanes when the session is over. */
  get signal(): AbortSignal {
    return this.#failed.signal
  }

  /** Why the session is over, when it is. */
  get failure(): Error | undefined {
    return this.#failed.signal.reason as Error | undefined
  }

  /** When every lane has flushed. @throws what the node answered */
  async commit(commit: Commit): Promise<CapturedSnapshot> {
    this.#committing = true
    this.#channels[0]!.worker.postMessage({ kind: 'commit', commit } satisfies ToChannel)
    return this.#committed.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#cancel)
    for (const { worker } of this.#channels) worker.postMessage({ kind: 'stop' })
    await Promise.all(this.#exits)
  }

  async #open(): Promise<void> {
    const { open, connections } = this.#options
    this.#welcome = await this.#start(open).welcome
    if (this.#welcome.done !== null) return
    const join = { do: 'join', session: this.#welcome.session } as const
    const others = Array.from({ length: connections - 1 }, () => this.#start(join))
    await Promise.all(others.map(({ welcome }) => welcome))
  }

  #start(open: Hello['open']): Channel {
    this.signal.throwIfAborted() // With the reason.
    const { target, identity } = this.#options
    const address = parseNbdAddress(target.address)
    if (!('host' in address)) {
      throw new MaasError('USAGE', `"${target.address}" is no host and port`)
    }
    const memory = makeChannelMemory(this.#options.open.do)
    const setup: ChannelSetup = {
      ...address,
      fingerprint: target.fingerprint,
      identity,
      hello: { version: DATA_VERSION, ticket: target.ticket, open },
      memory,
      ...(this.#throttle !== undefined && { throttle: this.#throttle }),
    }
    const worker = new Worker(new URL('./channel-thread.ts', import.meta.url), {
      workerData: setup,
    })
    const welcome = Promise.withResolvers<Welcome>()
    welcome.promise.catch(() => undefined) // Awaited above; a later failure comes by the signal.
    this.signal.addEventListener('abort', () => welcome.reject(this.failure))
    worker.on('message', (message: FromChannel) => {
      if (message.kind === 'welcome') welcome.resolve(message.welcome)
      else if (message.kind === 'committed') this.#committed.resolve(message.snapshot)
      // The node lets go of all others when it has committed; the answer may come after that.
      else if (!this.#committing || channel === this.#channels[0]) {
        this.#fail(reviveError(message.error))
      }
    })
    worker.on('error', (error) => this.#fail(error))
    this.#exits.push(new Promise((resolve) => worker.once('exit', resolve)))
    const channel = { worker, memory, welcome: welcome.promise }
    this.#channels.push(channel)
    return channel
  }

  #fail(error: Error): void {
    if (this.#failed.signal.aborted) return
    this.#failed.abort(error)
    this.#committed.reject(error)
    for (const { worker } of this.#channels) worker.postMessage({ kind: 'stop' })
  }
}
