/**
 * The load of the soak, as a program of its own: transactions like pgbench's, and a log of what
 * production acknowledged. That log is the oracle, so it is on disk before the next transaction.
 *
 *   node interop/soak/load.ts --engine postgres|mariadb --socket PATH --port N --log FILE
 *     [--rate 80] [--writers 4] [--scale 1]
 *
 * Every transaction takes the next number from one row, which it locks until it has committed:
 * so the numbers are the order of commits, without a gap. What was under way when a connection
 * broke is looked up afterwards, and logged as found.
 *
 *   {"kind":"ack","seq":7,"key":…,"aid":…,"delta":…}   acknowledged ("found": later)
 *   {"kind":"at","seq":7,"transaction":"742","beginMs":…,"endMs":…,"place":"…"}   see Found
 *   {"kind":"lost","seq":7,"key":…}   acknowledged, and not there afterwards
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ACCOUNTS_PER_SCALE } from './content.ts'
import { dials, type EngineName, type LoadSession, type Step } from './load-session.ts'

/** A server that comes back is found soon, and not asked a thousand times meanwhile. */
const RECONNECT_MS = 200
const DELTA_MAX = 5000
/** Of what is wrong with the load itself. */
const TOLD_MAX = 20

const { values } = parseArgs({
  options: {
    engine: { type: 'string' },
    socket: { type: 'string' },
    port: { type: 'string' },
    log: { type: 'string' },
    rate: { type: 'string', default: '80' },
    writers: { type: 'string', default: '4' },
    scale: { type: 'string', default: '1' },
  },
})
const writers = Number(values.writers)
const accounts = Number(values.scale) * ACCOUNTS_PER_SCALE
const dial = dials[values.engine as EngineName]
const target = { socket: values.socket!, port: Number(values.port) }

let stopped = false
let told = 0
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => (stopped = true))

/** Lines of all writers, in one write and one sync each time. */
class DurableLog {
  readonly #file: FileHandle
  #waiting: { line: string; done: () => void; failed: (error: unknown) => void }[] = []
  #writing = false

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** @returns once it is on disk */
  append(entry: object): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ line: `${JSON.stringify(entry)}\n`, done, failed })
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    if (this.#writing) return
    this.#writing = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0)
      try {
        await this.#file.appendFile(batch.map(({ line }) => line).join(''))
        await this.#file.datasync()
        for (const { done } of batch) done()
      } catch (error) {
        for (const { failed } of batch) failed(error)
      }
    }
    this.#writing = false
  }
}

interface OpenStep extends Step {
  /** Once it was acknowledged. */
  seq: number | null
}

interface Counts {
  acknowledged: number
  found: number
  broken: number
}

class Writer {
  readonly #log: DurableLog
  readonly #number: number
  #count = 0
  /** What is not fully logged yet. */
  #open: OpenStep | null = null
  readonly #counts: Counts

  constructor(log: DurableLog, number: number, counts: Counts) {
    this.#log = log
    this.#number = number
    this.#counts = counts
  }

  async run(): Promise<void> {
    while (!stopped) {
      try {
        await dial(target, (session) => this.#work(session))
      } catch (error) {
        const { code, message } = error as { code?: string; message?: string }
        if (code === 'FATAL_LOG') throw error
        this.#counts.broken += 1
        // Else production was killed, as it should.
        if (code !== 'DATABASE_UNREACHABLE' && told < TOLD_MAX) {
          told += 1
          process.stdout.write(`load: ${code}: ${message}\n`)
        }
        await delay(RECONNECT_MS)
      }
    }
  }

  async #work(session: LoadSession): Promise<void> {
    if (this.#open !== null) await this.#complete(session, this.#open)
    const everyMs = (writers * 1000) / Number(values.rate)
    let next = performance.now() + Math.random() * everyMs
    while (!stopped) {
      await delay(Math.max(0, next - performance.now()))
      // A writer that was held up does not hurry afterwards.
      next = Math.max(next + everyMs, performance.now() - everyMs)
      this.#count += 1
      const step: OpenStep = {
        key: this.#number * 1e10 + this.#count,
        aid: 1 + Math.floor(Math.random() * accounts),
        delta: Math.floor((Math.random() * 2 - 1) * DELTA_MAX),
        seq: null,
      }
      this.#open = step
      step.seq = await session.step(step)
      const { key, aid, delta } = step
      await this.#note({ kind: 'ack', seq: step.seq, key, aid, delta })
      this.#counts.acknowledged += 1
      await this.#complete(session, step)
    }
  }

  /** Commit time and place; of one that broke, first whether it was committed at all. */
  async #complete(session: LoadSession, step: OpenStep): Promise<void> {
    const { key, aid, delta } = step
    const found = await session.find(key)
    if (found !== null) {
      const { seq } = found
      if (step.seq === null) {
        await this.#note({ kind: 'found', seq, key, aid, delta })
        this.#counts.found += 1
      }
      await this.#note({ kind: 'at', ...found })
    } else if (step.seq !== null) {
      await this.#note({ kind: 'lost', seq: step.seq, key })
    }
    this.#open = null
  }

  async #note(entry: object): Promise<void> {
    try {
      await this.#log.append(entry)
    } catch (error) {
      throw Object.assign(new Error('the oracle log cannot be written', { cause: error }), {
        code: 'FATAL_LOG',
      })
    }
  }
}

const file = await open(values.log!, 'a')
const counts = { acknowledged: 0, found: 0, broken: 0 }
const log = new DurableLog(file)
await Promise.all(Array.from({ length: writers }, (_, i) => new Writer(log, i + 1, counts).run()))
await file.close()
process.stdout.write(`${JSON.stringify(counts)}\n`)
// The limits of statements that a kill broke are not over yet, and would be waited for.
process.exit()
