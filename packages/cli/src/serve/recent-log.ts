/** Writes the log to stderr, and keeps its last lines for `openmaas support bundle`. */
import { writeSync } from 'node:fs'
import { stderr } from 'node:process'

/** Of some 300 bytes each. */
const LINE_COUNT_MAX = 5000

export class RecentLog {
  #lines: string[] = []

  /** As `configureLog` wants it. */
  readonly write = (line: string): void => {
    this.#lines.push(line.trimEnd())
    // By halves: to move every line for each new one would cost more than writing it.
    if (this.#lines.length >= 2 * LINE_COUNT_MAX) this.#lines = this.lines()
    writeSync(stderr.fd, line)
  }

  /** Oldest first. */
  lines(): string[] {
    return this.#lines.slice(-LINE_COUNT_MAX)
  }
}
