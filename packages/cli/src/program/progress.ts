/**
 * Progress of long work, on stderr: one line redrawn on a terminal, a line now and then in a log.
 * Work that ends within two seconds shows none.
 */
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import { fit } from '../format/width.ts'
import type { Site } from './site.ts'

export interface Amount {
  /** What is being done: `reading`. */
  readonly phase: string
  readonly files?: number
  readonly filesTotal?: number | undefined
  readonly bytes?: number
  readonly bytesTotal?: number | undefined
}

/** Silence before the first line. */
const QUIET_MS = 2000
const REDRAW_MS = 100
/** Between lines where nothing can be redrawn. */
const LOG_INTERVAL_MS = 10_000
/** The rate shown is that of about the last so many milliseconds. */
const RATE_WINDOW_MS = 3000

export class Progress {
  readonly #site: Site
  readonly #beganMs: number
  #shownMs: number
  #rate = 0
  #rateAtMs: number
  #rateBytes = 0

  constructor(site: Site) {
    this.#site = site
    this.#beganMs = site.clock.monotonicMs()
    this.#rateAtMs = this.#beganMs
    this.#shownMs = this.#beganMs
  }

  /** May be called as often as one likes. */
  update(amount: Amount): void {
    const { out, clock } = this.#site
    if (out.quiet || out.json) return
    const now = clock.monotonicMs()
    this.#measure(amount, now)
    if (now - this.#beganMs < QUIET_MS) return
    const isTerminal = out.options.errorIsTerminal
    if (now - this.#shownMs < (isTerminal ? REDRAW_MS : LOG_INTERVAL_MS)) return
    this.#shownMs = now
    const line = this.#describe(amount)
    if (isTerminal) out.drawProgress(fit(line, out.options.columns - 1))
    else out.error(line)
  }

  end(): void {
    this.#site.out.clearProgress()
  }

  #measure({ bytes = 0 }: Amount, now: number): void {
    const elapsed = now - this.#rateAtMs
    if (elapsed < REDRAW_MS) return
    const rate = ((bytes - this.#rateBytes) / elapsed) * 1000
    const weight = this.#rate === 0 ? 1 : Math.min(1, elapsed / RATE_WINDOW_MS)
    this.#rate += (rate - this.#rate) * weight
    this.#rateAtMs = now
    this.#rateBytes = bytes
  }

  #describe(amount: Amount): string {
    const { text } = this.#site
    const { files, filesTotal, bytes, bytesTotal } = amount
    const parts = [amount.phase]
    if (files !== undefined) {
      const count = files.toLocaleString('en-US')
      parts.push(
        filesTotal === undefined
          ? text('progress.files', { count })
          : text('progress.filesOf', { count, total: filesTotal.toLocaleString('en-US') }),
      )
    }
    if (bytes !== undefined) {
      const done = formatBytes(bytes)
      parts.push(bytesTotal === undefined ? done : `${done} / ${formatBytes(bytesTotal)}`)
      parts.push(`${formatBytes(Math.max(0, Math.round(this.#rate)))}/s`)
    }
    const etaMs = this.#estimate(amount)
    if (etaMs !== undefined) parts.push(text('progress.eta', { time: formatDuration(etaMs) }))
    return parts.join('  ')
  }

  /** By whichever share is known: bytes, else files. */
  #estimate({ files = 0, filesTotal, bytes = 0, bytesTotal }: Amount): number | undefined {
    const elapsed = this.#rateAtMs - this.#beganMs
    const shares = [share(bytes, bytesTotal), share(files, filesTotal)]
    const known = shares.filter((part) => part !== undefined && part > 0.01 && part < 1)
    if (known.length === 0 || elapsed <= 0) return undefined
    // The slower of the two is the honest one.
    const least = Math.min(...(known as number[]))
    return (elapsed / least) * (1 - least)
  }
}

function share(done: number, total: number | undefined): number | undefined {
  return total === undefined || total === 0 ? undefined : done / total
}
