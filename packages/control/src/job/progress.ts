/** What a running job tells about itself: rate, time left, and who waits for whom. */
import type { Clock } from '@openmaas/kernel/clock'
import { ProgressMeter } from '@openmaas/kernel/progress'
import type { JobProgress } from '@openmaas/api/resources/job'
import type { OrderProgress } from '@openmaas/protocols/channel/orders'
import type { Bottleneck, LogLevel } from './definition.ts'
import { LOG_LINES_MAX, LOG_TEXT_MAX, PROGRESS_WRITE_MS } from './limits.ts'

/**
 * The part that the others waited for is the one that waited least itself. Null when nobody
 * waited to speak of: then nothing would be faster.
 */
export function findBottleneck(
  waits: Readonly<Partial<Record<Bottleneck, number>>>,
): Bottleneck | null {
  const rows = Object.entries(waits) as [Bottleneck, number][]
  const sorted = rows.toSorted(([, first], [, second]) => first - second)
  const [least, most] = [sorted.at(0), sorted.at(-1)]
  if (least === undefined || most === undefined || most[1] - least[1] < 1) return null
  return least[0]
}

export class RunProgress {
  readonly #clock: Clock
  #meter: ProgressMeter
  #last: OrderProgress | undefined
  #bottleneck: Bottleneck | null = null
  #changed = false
  #writtenMs = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
    this.#meter = new ProgressMeter(clock)
  }

  /** A step that begins counts from zero again. */
  restart(): void {
    this.#meter = new ProgressMeter(this.#clock)
    this.#last = undefined
  }

  set(progress: OrderProgress): void {
    // An order that was begun anew, after a reconnect, counts from zero too.
    if (progress.bytesDone < (this.#last?.bytesDone ?? 0)) this.restart()
    this.#last = progress
    this.#changed = true
  }

  setWaits(waits: Readonly<Partial<Record<Bottleneck, number>>>): void {
    this.#bottleneck = findBottleneck(waits)
    this.#changed = true
  }

  /** What to write now; undefined when nothing is new or the last write is too fresh. */
  take(): JobProgress | undefined {
    const nowMs = this.#clock.monotonicMs()
    if (!this.#changed || nowMs - this.#writtenMs < PROGRESS_WRITE_MS) return undefined
    this.#changed = false
    this.#writtenMs = nowMs
    return this.read()
  }

  read(): JobProgress {
    const last = this.#last
    if (last === undefined) return { bottleneck: this.#bottleneck }
    const reading = this.#meter.read(last.bytesDone, last.bytesTotal ?? undefined)
    const stalledMs = reading.stalledMs
    return {
      phase: last.phase,
      pct: reading.fraction === undefined ? null : Math.round(reading.fraction * 1000) / 10,
      bytesDone: last.bytesDone,
      bytesTotal: last.bytesTotal,
      itemsDone: last.itemsDone,
      rateBytesPerSecond: Math.round(reading.ratePerSecond),
      etaMs: reading.remainingMs === undefined ? null : Math.round(reading.remainingMs),
      stalledSince:
        stalledMs === undefined ? null : new Date(this.#clock.wallMs() - stalledMs).toISOString(),
      bottleneck: this.#bottleneck,
    }
  }
}

export interface LogLine {
  readonly at: number
  readonly level: LogLevel
  readonly code: string
  readonly text: string
}

/** Lines on their way to the catalog; the next write of the job takes them along. */
export class RunLog {
  readonly #clock: Clock
  #lines: LogLine[] = []
  #count: number

  /** @param count lines that the job has already */
  constructor(clock: Clock, count: number) {
    this.#clock = clock
    this.#count = count
  }

  add(level: LogLevel, code: string, text: string): void {
    if (this.#count >= LOG_LINES_MAX) return
    this.#count += 1
    const at = this.#clock.wallMs()
    const isLast = this.#count === LOG_LINES_MAX
    const line = { at, level, code, text: text.slice(0, LOG_TEXT_MAX) }
    const end = { at, level: 'warning', code: 'LOG_FULL', text: 'further lines are left out' }
    this.#lines.push(isLast ? (end as LogLine) : line)
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  /** Those not yet written; whoever takes them writes them, or gives them back. */
  take(): LogLine[] {
    return this.#lines.splice(0)
  }

  giveBack(lines: readonly LogLine[]): void {
    this.#lines.unshift(...lines)
  }
}
