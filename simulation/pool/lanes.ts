/**
 * The lanes of one simulated backup. An inline lane is the owner's own; a lane "of a thread" works
 * on the same shared memory, but its sealed packs reach the owner as messages, turns later.
 */
import type { ChunkType } from '@openmaas/pool/chunk/chunk'
import { SessionLane } from '@openmaas/pool/pool/lane'
import type { Session } from '@openmaas/pool/pool/session'
import type { SealedPack } from '@openmaas/pool/pool/types'
import type { TaskContext } from './tasks.ts'

export class BackupLanes {
  readonly #context: TaskContext
  readonly #lanes: SessionLane[] = []
  readonly #threads: SessionLane[] = []
  readonly #messages: SealedPack[] = []
  #deliver: (pack: SealedPack) => void = () => undefined

  constructor(context: TaskContext, session: Session) {
    this.#context = context
    const { random } = context
    const count = random.below(3) === 0 ? 2 : 1
    for (let index = 0; index < count; index += 1) {
      const lane = random.below(2) === 0 ? session.inlineLane() : this.#makeThread(session)
      this.#lanes.push(lane)
    }
  }

  #makeThread(session: Session): SessionLane {
    const { fs, pool } = this.#context
    session.attachLane({
      onSealed: (listener) => {
        this.#deliver = listener
      },
    })
    const lane = new SessionLane(session.laneHandoff(), {
      fs,
      random: pool.core.deps.random,
      onSealed: (pack) => this.#messages.push(pack),
      relieve: () => pool.core.index.maintain(),
    })
    this.#threads.push(lane)
    return lane
  }

  /** Chunks go to any lane; now and then a lane seals early, as when its pack is full. */
  put(type: ChunkType, raw: Buffer): Buffer {
    const { random } = this.#context
    const lane = this.#lanes[random.below(this.#lanes.length)]!
    const id = lane.put(type, raw)
    if (random.below(10) === 0) lane.flush()
    if (random.below(6) === 0) this.#deliverOne()
    return id
  }

  /** Everything is sealed, and every message has arrived. */
  async flush(): Promise<void> {
    for (const lane of this.#lanes) lane.flush()
    while (this.#messages.length > 0) {
      await this.#context.turn()
      this.#deliverOne()
    }
  }

  /** Seals, but does not wait for the messages. @returns true when some are still under way */
  flushWithoutWaiting(): boolean {
    for (const lane of this.#lanes) lane.flush()
    return this.#messages.length > 0
  }

  close(): void {
    for (const lane of this.#threads) lane.close()
  }

  #deliverOne(): void {
    const pack = this.#messages.shift()
    if (pack !== undefined) this.#deliver(pack)
  }
}
