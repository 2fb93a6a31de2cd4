/**
 * Reading server-sent events (WHATWG HTML, 9.2.6) without I/O: text in as it comes, messages out.
 *
 *   fields until an empty line:  id: 42 ⏎ event: job.ended ⏎ data: {…} ⏎ ⏎
 *   a line that begins with ":" is a comment and keeps the connection alive
 */
export interface SseMessage {
  readonly id: string
  readonly event: string
  readonly data: string
}

/** A message that a server of ours would never send: the connection is given up. */
export const SSE_MESSAGE_LENGTH_MAX = 4 * 1024 * 1024

export class SseReader {
  #rest = ''
  #id = ''
  #event = ''
  #data: string[] = []
  /** Characters gathered for the message under way. */
  #length = 0

  /** @returns the messages that the text completes */
  receive(text: string): SseMessage[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    const messages: SseMessage[] = []
    for (const line of lines) {
      this.#length += line.length
      if (line === '') {
        const message = this.#dispatch()
        if (message !== undefined) messages.push(message)
      } else {
        this.#field(line)
      }
    }
    if (this.#length + this.#rest.length > SSE_MESSAGE_LENGTH_MAX) {
      throw new RangeError('a message of the event stream is too long')
    }
    return messages
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#event = value
    else if (name === 'id' && !value.includes('\0')) this.#id = value
  }

  #dispatch(): SseMessage | undefined {
    const { length } = this.#data
    const message = {
      id: this.#id,
      event: this.#event === '' ? 'message' : this.#event,
      data: this.#data.join('\n'),
    }
    this.#event = ''
    this.#data = []
    this.#length = 0
    return length === 0 ? undefined : message
  }
}
