/**
 * Where a command writes. Data goes to stdout: tables and sentences on a terminal, bare values
 * into a pipe, JSON when asked. Everything else (progress, notes, warnings, questions) goes to
 * stderr, so that a pipe holds nothing but data.
 *
 * Lines are gathered and written in large pieces; `flush` is called at the end and by whoever
 * waits for a while. Names of files are written as the bytes they are into a pipe, and with
 * control characters shown on a terminal.
 */
import { writeSync } from 'node:fs'
import { fsError } from '@openmaas/kernel/fs-errors'
import { formatTable, type Column } from '../format/table.ts'
import { printableBytes } from '../format/width.ts'

/** Gathered before a write; a listing of a million names becomes a thousand writes. */
const BUFFER_SIZE_MAX = 64 * 1024
/** Pauses of a millisecond when the reader of a pipe is slow; it may be so for ever. */
const RETRY_PAUSE_MS = 1

export interface OutputOptions {
  readonly isTerminal: boolean
  readonly errorIsTerminal: boolean
  /** Columns of the terminal on stderr, for progress. */
  readonly columns: number
  readonly color: boolean
  readonly json: boolean
  readonly quiet: boolean
  readonly write: (bytes: Uint8Array) => void
  readonly writeError: (bytes: Uint8Array) => void
}

export type Color = 'bold' | 'dim' | 'green' | 'red' | 'yellow'
const CODES: Readonly<Record<Color, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

export class Output {
  readonly options: OutputOptions
  #pieces: Buffer[] = []
  #gathered = 0
  /** A progress line stands at the cursor and must go before anything else is written. */
  #progressShown = false

  constructor(options: OutputOptions) {
    this.options = options
  }

  get json(): boolean {
    return this.options.json
  }

  get isTerminal(): boolean {
    return this.options.isTerminal
  }

  get quiet(): boolean {
    return this.options.quiet
  }

  paint(color: Color, text: string): string {
    return this.options.color ? `\u001B[${CODES[color]}m${text}\u001B[0m` : text
  }

  /** A line of data. */
  line(text: string | Buffer): void {
    this.#gather(typeof text === 'string' ? Buffer.from(text) : text)
    this.#gather(NEWLINE)
  }

  /** A path from a point: bytes into a pipe, safe text on a terminal. */
  path(path: Buffer): Buffer {
    return this.isTerminal ? Buffer.from(printableBytes(path)) : path
  }

  /** One JSON value on one line, so that a shell reads it with `read` as well as with jq. */
  value(value: unknown): void {
    this.line(JSON.stringify(value))
  }

  /** A JSON array of any length, element by element, one on a line. */
  async values(values: AsyncIterable<unknown>): Promise<void> {
    let separator = '['
    for await (const value of values) {
      this.line(`${separator}${JSON.stringify(value)}`)
      separator = ','
    }
    this.line(separator === '[' ? '[]' : ']')
  }

  /**
   * On a terminal with a heading; into a pipe tab separated and without one, unless somebody asked
   * for a table there.
   */
  table(
    columns: readonly Column[],
    rows: readonly (readonly string[])[],
    options: { readonly heading: boolean; readonly aligned?: boolean } = { heading: true },
  ): void {
    if (!(options.aligned ?? this.isTerminal)) {
      for (const row of rows) this.line(row.join('\t'))
      return
    }
    const [heading, ...lines] = formatTable(columns, rows)
    if (options.heading) this.line(this.paint('bold', heading!))
    for (const line of lines) this.line(line)
  }

  /** A sentence of data for people; a pipe and --json do not get it. */
  say(text: string): void {
    if (this.isTerminal && !this.json && !this.quiet) this.line(text)
  }

  /** A sentence beside the data, on stderr, whoever reads. */
  note(text: string): void {
    if (!this.quiet) this.error(text)
  }

  /** A line on stderr that --quiet does not silence. */
  error(text: string): void {
    this.clearProgress()
    this.flush()
    this.options.writeError(Buffer.from(`${text}\n`))
  }

  /** Redraws the line at the cursor of the terminal on stderr. */
  drawProgress(line: string): void {
    this.flush()
    this.options.writeError(Buffer.from(`\r\u001B[K${line}`))
    this.#progressShown = true
  }

  clearProgress(): void {
    if (!this.#progressShown) return
    this.#progressShown = false
    this.options.writeError(Buffer.from('\r\u001B[K'))
  }

  flush(): void {
    if (this.#gathered === 0) return
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#gathered = 0
    if (this.isTerminal) this.clearProgress()
    this.options.write(bytes)
  }

  #gather(bytes: Buffer): void {
    this.#pieces.push(bytes)
    this.#gathered += bytes.length
    if (this.#gathered >= BUFFER_SIZE_MAX) this.flush()
  }
}

const NEWLINE = Buffer.from('\n')

/** Writes all bytes to a descriptor, waiting for a slow reader. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written)
    } catch (error) {
      const { code = 'EIO' } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') throw error // Nobody reads on: no failure that is told.
      if (code !== 'EAGAIN') throw fsError(code, 'write the output', undefined, error)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_PAUSE_MS)
    }
  }
}
