/** Lines out of a stream of bytes, none longer than a limit. */

const NEWLINE = 0x0a

export class LineReader {
  readonly #sizeMax: number
  readonly #parts: Buffer[] = []
  #size = 0

  /** @param sizeMax  of a line, without its newline */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  /** @returns whole lines; null when one is too long: then the stream is of no more use */
  push(bytes: Buffer): string[] | null {
    const lines: string[] = []
    let from = 0
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      if (this.#size + at - from > this.#sizeMax) return null
      lines.push(Buffer.concat([...this.#parts, bytes.subarray(from, at)]).toString('utf8'))
      this.#parts.length = 0
      this.#size = 0
      from = at + 1
    }
    const rest = bytes.subarray(from)
    this.#size += rest.length
    if (this.#size > this.#sizeMax) return null
    if (rest.length > 0) this.#parts.push(rest)
    return lines
  }
}
