/** Receivers in this process: one of HTTP, one of SMTP. They keep what they are given. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: unknown
}

export class HttpReceiver implements AsyncDisposable {
  readonly received: Received[] = []
  /** What is answered, until it is changed. */
  answer: { readonly status: number; readonly body: string } = { status: 200, body: 'ok' }
  readonly #server = createHttpServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (bytes: Buffer) => parts.push(bytes))
    request.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8')
      const { url = '', headers } = request
      this.received.push({ path: url, headers, text, json: JSON.parse(text) as unknown })
      response.writeHead(this.answer.status, { location: 'http://127.0.0.1:9/' })
      response.end(this.answer.body)
    })
  })
  url = ''

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** RFC 5321, as far as a client that says EHLO needs it. */
export class SmtpReceiver implements AsyncDisposable {
  /** Lines of commands, and the mail as one. */
  readonly commands: string[] = []
  readonly mails: string[] = []
  /** Answer to MAIL FROM. */
  mailAnswer = '250 ok'
  readonly #sockets = new Set<Socket>()
  readonly #server: Server = createServer((socket) => this.#serve(socket))
  port = 0

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.setEncoding('utf8')
    socket.write('220 test ESMTP\r\n')
    let pending = ''
    let inMail = false
    socket.on('data', (text: string) => {
      pending += text
      for (;;) {
        const end = inMail ? pending.indexOf('\r\n.\r\n') : pending.indexOf('\r\n')
        if (end < 0) return
        const taken = pending.slice(0, end)
        pending = pending.slice(end + (inMail ? 5 : 2))
        if (inMail) this.mails.push(taken)
        else this.commands.push(taken)
        const answer = inMail ? '250 queued' : this.#answerTo(taken)
        inMail = !inMail && taken === 'DATA'
        socket.write(`${answer}\r\n`)
      }
    })
  }

  #answerTo(command: string): string {
    if (command.startsWith('EHLO')) return '250-test\r\n250 AUTH PLAIN'
    if (command.startsWith('AUTH')) return '235 ok'
    if (command.startsWith('MAIL')) return this.mailAnswer
    if (command === 'STARTTLS') return '454 there is no TLS here'
    if (command === 'DATA') return '354 go on'
    return '250 ok'
  }
}
