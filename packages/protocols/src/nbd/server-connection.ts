/**
 * One client of the server: the socket, and the state machine that is its turn.
 *
 *   handshake ──STARTTLS──▶ handshake over TLS ──GO──▶ transmission ──▶ closed
 *
 * All protocol is in handshake.ts and transmission.ts; here are bytes, timers and the end.
 */
import type { Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import type { PeerCertificate, TlsOptions } from 'node:tls'
import type { BufferPool } from './buffer-pool.ts'
import { NbdHandshake } from './handshake.ts'
import type { TlsMode } from './handshake.ts'
import type { NbdAgreement, NbdExports } from './export.ts'
import { attachInput, attachPlainInput } from './input-socket.ts'
import type { InputReceiver } from './input-socket.ts'
import { NbdTransmission } from './transmission.ts'
import type { TransmissionSink } from './transmission.ts'

/** A client that has not chosen an export by then is idle or hostile. */
export const HANDSHAKE_TIMEOUT_MS = 30_000
/** Replies of the handshake that nobody reads: a listing of very many exports, twice. */
const HANDSHAKE_BACKLOG_MAX = 8 * 1024 * 1024
/** How long a closing connection may take to hand over its last replies. */
const END_TIMEOUT_MS = 10_000

export interface ConnectionOptions {
  readonly exports: NbdExports
  /** What a client may open that has shown a certificate; default: `exports`. */
  readonly exportsFor?: ((peer: PeerCertificate) => NbdExports) | undefined
  readonly pool: BufferPool
  readonly tlsMode: TlsMode
  /** Key, certificate and authorities; there unless `tlsMode` is off. */
  readonly tlsOptions: TlsOptions
  /** What was agreed already with a peer that does not negotiate: the kernel. */
  readonly agreed?: NbdAgreement
  /** An unexpected failure: the request or the connection it happened in is given up. */
  readonly report: (error: unknown) => void
  /** Called once. `reason` is undefined after an orderly end. */
  readonly closed: (connection: ServerConnection, reason: unknown) => void
}

export class ServerConnection implements InputReceiver {
  readonly #options: ConnectionOptions
  readonly #handshake: NbdHandshake
  #socket: Socket
  #transmission: NbdTransmission | undefined
  #timer: NodeJS.Timeout | undefined
  #reason: unknown
  #closed = false

  /** @param accepted a socket that has not been read from */
  constructor(accepted: Socket, options: ConnectionOptions) {
    this.#options = options
    this.#handshake = new NbdHandshake({ exports: options.exports, tls: options.tlsMode })
    // TLS takes the socket over in the midst, and it wants to find it as Node made it.
    const upgradable = options.tlsMode !== 'off'
    this.#socket = upgradable ? attachPlainInput(accepted, this) : attachInput(accepted, this)
    this.#prepare(this.#socket)
    if (options.agreed !== undefined) this.#transmission = this.#makeTransmission(options.agreed)
    else {
      this.#timer = setTimeout(() => {
        this.destroy(new Error('the client did not choose an export in time'))
      }, HANDSHAKE_TIMEOUT_MS)
      this.#socket.write(this.#handshake.greeting())
    }
    this.#socket.resume()
    if (!upgradable) this.#socket.read(0) // A socket over a handle begins to read only then.
  }

  /** The export in use, once it has been chosen. */
  get exportName(): string | undefined {
    if (this.#transmission === undefined) return undefined
    return (this.#options.agreed ?? this.#handshake.agreement).exportName
  }

  /** The client has said goodbye, rather than gone away. */
  get goodbye(): boolean {
    return this.#transmission?.goodbye ?? false
  }

  /** Answers what is in flight, then closes. */
  close(): void {
    if (this.#transmission === undefined) this.destroy(undefined)
    else this.#transmission.close()
  }

  destroy(reason: unknown): void {
    this.#reason ??= reason
    this.#socket.destroy()
  }

  receive(bytes: Buffer): void {
    if (this.#socket.destroyed) return
    try {
      if (this.#transmission !== undefined) this.#transmit(bytes)
      else this.#negotiate(bytes)
    } catch (error) {
      this.destroy(error)
    }
  }

  inputTarget(): Buffer | undefined {
    return this.#transmission?.inputTarget
  }

  retainsInput(): boolean {
    return this.#transmission?.takeInputRetained() ?? false
  }

  #transmit(bytes: Buffer): void {
    const transmission = this.#transmission!
    transmission.receive(bytes)
    if (!transmission.wantsInput) this.#socket.pause()
  }

  #negotiate(bytes: Buffer): void {
    for (const reply of this.#handshake.receive(bytes)) this.#socket.write(reply)
    if (this.#socket.writableLength > HANDSHAKE_BACKLOG_MAX) {
      throw new Error('the client does not read its replies')
    }
    switch (this.#handshake.state) {
      case 'transmission':
        clearTimeout(this.#timer)
        this.#transmission = this.#makeTransmission(this.#handshake.agreement)
        this.#transmit(this.#handshake.takeRest())
        break
      case 'tls':
        this.#startTls()
        break
      case 'closed':
        this.#end()
        break
      case 'clientFlags':
      case 'options':
        break
    }
  }

  /**
   * A TLS server that never listens and gets this one connection, which is the documented way to
   * upgrade one; it also refuses clients whose certificate is missing or does not verify.
   */
  #startTls(): void {
    const plain = this.#socket
    plain.removeAllListeners('data')
    const upgrade = createTlsServer({
      ...this.#options.tlsOptions,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    })
    upgrade.once('tlsClientError', (error) => this.destroy(error))
    upgrade.once('secureConnection', (secure) => {
      this.#prepare(secure)
      this.#socket = secure
      this.#handshake.secured(this.#options.exportsFor?.(secure.getPeerCertificate()))
      attachPlainInput(secure, this)
    })
    upgrade.emit('connection', plain)
  }

  #prepare(socket: Socket): void {
    socket.setNoDelay(true)
    socket.on('error', (error) => {
      this.#reason ??= error
    })
    socket.once('close', () => this.#finish())
  }

  #finish(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    // A client may hang up after NBD_OPT_ABORT without waiting for the answer.
    const orderly = this.#handshake.state === 'closed' && this.#transmission === undefined
    this.#options.closed(this, orderly ? undefined : this.#reason)
  }

  /** Sends what is left, then closes; not for ever when the peer does not read. */
  #end(): void {
    this.#socket.end(() => this.#socket.destroy())
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#socket.destroy(), END_TIMEOUT_MS)
  }

  #makeTransmission(agreement: NbdAgreement): NbdTransmission {
    return new NbdTransmission(agreement, this.#options.pool, this.#makeSink())
  }

  #makeSink(): TransmissionSink {
    return {
      send: (bytes, sent) => {
        const socket = this.#socket
        if (socket.destroyed) return // Nobody waits; the buffer is left to the collector.
        let told = false
        const tell = (): void => {
          if (!told) sent()
          told = true
        }
        socket.write(bytes, tell)
        // The kernel took all of it within the call: the buffer is free at once.
        if (socket.writableLength === 0 && !(socket instanceof TLSSocket)) tell()
      },
      end: () => this.#end(),
      resume: () => {
        this.#socket.resume()
      },
      report: this.#options.report,
      fail: (error) => this.destroy(error),
    }
  }
}
