/**
 * One attempt to reach a server: connect, negotiate, and hand over an open connection. It does
 * not try again; client-lane.ts does.
 */
import net from 'node:net'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import { MaasError } from '@openmaas/kernel/errors'
import { KiB } from '@openmaas/kernel/units'
import type { BufferPool } from './buffer-pool.ts'
import { NbdClientHandshake } from './client-handshake.ts'
import type { ClientAgreement } from './client-handshake.ts'
import { formatAddress } from './listen-address.ts'
import type { NbdAddress } from './listen-address.ts'
import { NbdSession } from './session.ts'

/** From the first packet to the end of the handshake; a live server takes milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000
/** After this long without traffic the kernel begins to ask whether the peer still lives. */
const KEEP_ALIVE_MS = 15_000
const INPUT_SIZE = 256 * KiB

export interface NbdClientTls {
  /** PEM text of the authorities that may vouch for the server; the system's by default. */
  readonly authorities?: string | Buffer
  /** The client's own certificate and key, PEM texts. */
  readonly certificate?: string | Buffer
  readonly key?: string | Buffer
  /** In their place, asked at each connection: a client may live longer than its certificate. */
  readonly identity?: () => {
    readonly certificate: string | Buffer
    readonly key: string | Buffer
  }
  /** The name the server's certificate must hold; the host by default. */
  readonly serverName?: string
  /**
   * Decides about the server in place of its name, before anything is sent to it.
   *
   * @param vouched one of `authorities` has signed the certificate
   */
  readonly trusts?: (certificate: PeerCertificate, vouched: boolean) => boolean
}

export interface NbdTarget {
  readonly address: NbdAddress
  readonly exportName: string
  readonly tls?: NbdClientTls
}

export interface ConnectionWatcher {
  /** A request was settled: there is room for another. */
  readonly settled: () => void
  /** The connection has ended, for whatever reason. Called once, and only after `open`. */
  readonly lost: (connection: ClientConnection, reason: unknown) => void
}

/** An open connection. */
export class ClientConnection {
  readonly #target: NbdTarget
  readonly #pool: BufferPool
  readonly #watcher: ConnectionWatcher
  readonly #handshake: NbdClientHandshake
  readonly #input = Buffer.allocUnsafeSlow(INPUT_SIZE)
  #socket: Socket
  #session: NbdSession | undefined
  #opened: PromiseWithResolvers<void> = Promise.withResolvers<void>()
  #reason: unknown
  #ended = false

  private constructor(target: NbdTarget, pool: BufferPool, watcher: ConnectionWatcher) {
    this.#target = target
    this.#pool = pool
    this.#watcher = watcher
    this.#handshake = new NbdClientHandshake({
      exportName: target.exportName,
      tls: target.tls !== undefined,
    })
    this.#socket = this.#connect()
    this.#prepare(this.#socket)
  }

  /**
   * @throws MaasError NBD_UNREACHABLE, NBD_EXPORT_UNKNOWN, NBD_TLS_REQUIRED,
   *   NBD_SERVER_UNSUPPORTED, NBD_PROTOCOL_VIOLATION, CANCELLED
   */
  static async open(
    target: NbdTarget,
    pool: BufferPool,
    watcher: ConnectionWatcher,
    signal?: AbortSignal,
  ): Promise<ClientConnection> {
    const connection = new ClientConnection(target, pool, watcher)
    const address = formatAddress(target.address)
    const timer = setTimeout(() => {
      const timeoutMs = CONNECT_TIMEOUT_MS
      const message = 'the server did not answer in time'
      connection.destroy(new MaasError('NBD_UNREACHABLE', message, { address, timeoutMs }))
    }, CONNECT_TIMEOUT_MS)
    const abort = (): void => {
      connection.destroy(new MaasError('CANCELLED', 'connecting was cancelled', { address }))
    }
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted === true) abort()
    try {
      await connection.#opened.promise
      return connection
    } catch (cause) {
      if (cause instanceof MaasError) throw cause
      const message = 'cannot reach the NBD server'
      throw new MaasError('NBD_UNREACHABLE', message, { address }, { cause })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  get agreement(): ClientAgreement {
    return this.#handshake.agreement
  }

  get ended(): boolean {
    return this.#ended
  }

  get session(): NbdSession {
    return this.#session!
  }

  /** Says good-bye and closes once that is sent. */
  close(): void {
    this.#session?.disconnect()
    this.#socket.end(() => this.#socket.destroy())
  }

  destroy(reason: unknown): void {
    this.#reason ??= reason
    this.#socket.destroy()
  }

  #connect(): Socket {
    const { address, tls: secure } = this.#target
    const to = 'socketPath' in address ? { path: address.socketPath } : address
    if (secure !== undefined) return net.connect(to).on('data', (bytes) => this.#receive(bytes))
    return net.connect({
      ...to,
      onread: {
        buffer: () => this.#session?.inputTarget ?? this.#input,
        callback: (size, bytes) => {
          this.#receive(Buffer.from(bytes.buffer, bytes.byteOffset, size))
          return true
        },
      },
    })
  }

  #prepare(socket: Socket): void {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('error', (error) => {
      this.#reason ??= error
    })
    socket.once('close', () => this.#end())
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    const reason = this.#reason ?? new Error('the server closed the connection')
    this.#opened.reject(reason)
    if (this.#session !== undefined) this.#watcher.lost(this, reason)
  }

  #receive(bytes: Buffer): void {
    if (this.#socket.destroyed) return
    try {
      if (this.#session !== undefined) this.#session.receive(bytes)
      else this.#negotiate(bytes)
    } catch (error) {
      this.destroy(error)
    }
  }

  #negotiate(bytes: Buffer): void {
    for (const message of this.#handshake.receive(bytes)) this.#socket.write(message)
    if (this.#handshake.state === 'tls') this.#startTls()
    if (this.#handshake.state !== 'transmission') return
    this.#session = new NbdSession(this.agreement, this.#pool, {
      send: (message, sent) => this.#send(message, sent),
      settled: this.#watcher.settled,
      cork: () => this.#socket.cork(),
      uncork: () => this.#socket.uncork(),
    })
    this.#opened.resolve()
  }

  #send(bytes: Buffer, sent: () => void): void {
    const socket = this.#socket
    if (socket.destroyed) return // The request stays pending and is sent again elsewhere.
    let told = false
    const tell = (): void => {
      if (!told) sent()
      told = true
    }
    socket.write(bytes, tell)
    if (socket.writableLength === 0 && this.#target.tls === undefined) tell()
  }

  #startTls(): void {
    const { address, tls: options } = this.#target
    const plain = this.#socket
    plain.removeAllListeners('data')
    const serverName = options?.serverName ?? ('host' in address ? address.host : undefined)
    const own = options?.identity?.() ?? { certificate: options?.certificate, key: options?.key }
    const secure = tls.connect({
      socket: plain,
      minVersion: 'TLSv1.2',
      // An address is checked against the certificate, but may not be sent as a name (RFC 6066).
      ...(serverName === undefined || net.isIP(serverName) > 0 ? {} : { servername: serverName }),
      ...(serverName === undefined ? {} : { host: serverName }),
      ...(options?.authorities === undefined ? {} : { ca: options.authorities }),
      ...(own.certificate === undefined ? {} : { cert: own.certificate }),
      ...(own.key === undefined ? {} : { key: own.key }),
      // Decided below, before anything is sent.
      ...(options?.trusts === undefined
        ? {}
        : { rejectUnauthorized: false, checkServerIdentity: () => undefined }),
    })
    this.#prepare(secure)
    this.#socket = secure
    secure.on('data', (bytes: Buffer) => this.#receive(bytes))
    secure.once('secureConnect', () => {
      const trusts = options?.trusts
      if (trusts !== undefined && !trusts(secure.getPeerCertificate(), secure.authorized)) {
        const message = 'the server shows another certificate than the one that was named'
        this.destroy(new MaasError('SERVER_NOT_TRUSTED', message))
        return
      }
      for (const message of this.#handshake.secured()) secure.write(message)
    })
  }
}
