/**
 * The NBD server: listeners, limits and the life of connections. Protocol is in handshake.ts and
 * transmission.ts.
 *
 * Without TLS it listens on a unix socket or loopback only. Beyond the machine it wants TLS with
 * client certificates, since a listener without authentication does not exist.
 *
 *   await using server = new NbdServer({ exports })
 *   await server.listen({ socketPath: '/run/openmaas/pool.sock' })
 *
 * Performance: run it in a thread of its own with a device that answers at once; a promise from
 * the device costs about 2 µs a request.
 */
import { chmodSync, mkdtempSync, renameSync, rmSync, statSync, unlinkSync } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { PeerCertificate, TlsOptions } from 'node:tls'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { BufferPool } from './buffer-pool.ts'
import type { NbdExports } from './export.ts'
import type { TlsMode } from './handshake.ts'
import { formatAddress, isLocal } from './listen-address.ts'
import type { NbdAddress } from './listen-address.ts'
import { ServerConnection } from './server-connection.ts'

/** Clients at a time. Each may hold 100 MB at worst (transmission.ts), and usually holds 0.6. */
export const CONNECTION_COUNT_MAX = 128
/** What struct sockaddr_un holds on Linux, less the terminating NUL. */
const SOCKET_PATH_MAX = 107
/** After that long, connections that still wait for the device are cut. */
const CLOSE_TIMEOUT_MS = 30_000

export interface NbdServerTls {
  /** 'allow' offers TLS, 'require' refuses everything else. */
  readonly mode: Exclude<TlsMode, 'off'>
  /** PEM texts, not paths. */
  readonly key: string | Buffer
  readonly certificate: string | Buffer
  /** Authorities of client certificates; without it, clients are not asked for one. */
  readonly clientAuthorities?: string | Buffer
}

export interface NbdServerOptions {
  /** Read at each negotiation, so entries may come and go. */
  readonly exports: NbdExports
  /** Over TLS, what the client with that certificate may open. Default: `exports`. */
  readonly exportsFor?: (peer: PeerCertificate) => NbdExports
  readonly tls?: NbdServerTls
  readonly connectionCountMax?: number
  readonly onEvent?: (event: NbdServerEvent) => void
}

export type NbdServerEvent =
  /** The connection ended; `reason` is undefined when in order. */
  | { readonly type: 'disconnected'; readonly exportName: string | undefined; reason: unknown }
  /** A client was turned away because of CONNECTION_COUNT_MAX. */
  | { readonly type: 'refused' }
  /** A device failed by a bug. The client was told EIO. */
  | { readonly type: 'failed'; readonly error: unknown }

export class NbdServer implements AsyncDisposable {
  readonly #options: NbdServerOptions
  #tlsOptions: TlsOptions
  readonly #pool = new BufferPool()
  /** With what removes the traces of each. */
  readonly #listeners = new Map<net.Server, () => void>()
  readonly #connections = new Set<ServerConnection>()
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(options: NbdServerOptions) {
    this.#options = options
    this.#tlsOptions = makeTlsOptions(options.tls)
    createSecureContext(this.#tlsOptions) // A bad key or certificate shows now, not at a client.
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Connections that use the export now. */
  usersOf(exportName: string): number {
    return [...this.#connections].filter((each) => each.exportName === exportName).length
  }

  /**
   * Listens; may be called for several addresses. A unix socket gets mode 0600, and replaces a
   * dead one of the same name.
   *
   * @returns the address, with the port that the system chose when 0 was asked for
   * @throws MaasError NBD_LISTEN_REFUSED, FS_DENIED, FS_NOT_FOUND, FS_EXISTS
   */
  async listen(address: NbdAddress): Promise<NbdAddress> {
    assert(this.#closing === undefined, 'a closed server does not listen')
    this.#refuseUnsafe(address)
    // Paused: the connection decides how the socket is read.
    const listener = net.createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket))
    listener.maxConnections = Infinity
    let remove = (): void => {}
    if ('socketPath' in address) remove = await listenOnPath(listener, address.socketPath)
    else await listenOn(listener, { host: address.host, port: address.port }, address)
    this.#listeners.set(listener, remove)
    const bound = listener.address()
    if (bound === null || typeof bound === 'string' || 'socketPath' in address) return address
    return { host: address.host, port: bound.port }
  }

  /** From the next connection on; those that are open keep what they agreed. */
  renew(tls: NbdServerTls): void {
    const options = makeTlsOptions(tls)
    createSecureContext(options) // As in the constructor.
    this.#tlsOptions = options
  }

  /** Answers what the export's clients have in flight and lets them go. */
  disconnect(exportName: string): void {
    for (const connection of this.#connections) {
      if (connection.exportName === exportName) connection.close()
    }
  }

  /**
   * Stops listening, answers what is in flight, closes. Clients see an end of stream: those that
   * reconnect send again what was not answered.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    for (const [listener, remove] of this.#listeners) {
      listener.close()
      remove()
    }
    for (const connection of this.#connections) connection.close()
    if (this.#connections.size === 0) return
    const idle = new Promise<void>((resolve) => (this.#idle = resolve))
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy(undefined)
    }, CLOSE_TIMEOUT_MS)
    await idle
    clearTimeout(timer)
  }

  #refuseUnsafe(address: NbdAddress): void {
    if (isLocal(address)) return
    const { tls } = this.#options
    if (tls?.mode === 'require' && tls.clientAuthorities !== undefined) return
    throw new MaasError(
      'NBD_LISTEN_REFUSED',
      'beyond this machine NBD needs TLS and client certificates',
      { address: formatAddress(address) },
    )
  }

  #accept(socket: net.Socket): void {
    const { tls, onEvent } = this.#options
    const countMax = this.#options.connectionCountMax ?? CONNECTION_COUNT_MAX
    if (this.#closing !== undefined || this.#connections.size >= countMax) {
      socket.destroy()
      onEvent?.({ type: 'refused' })
      return
    }
    const connection = new ServerConnection(socket, {
      exports: this.#options.exports,
      exportsFor: this.#options.exportsFor,
      pool: this.#pool,
      tlsMode: tls?.mode ?? 'off',
      tlsOptions: this.#tlsOptions,
      report: (error) => onEvent?.({ type: 'failed', error }),
      closed: (closed, reason) => {
        this.#connections.delete(closed)
        onEvent?.({ type: 'disconnected', exportName: closed.exportName, reason })
        if (this.#connections.size === 0) this.#idle?.()
      },
    })
    this.#connections.add(connection)
  }
}

function makeTlsOptions(tls: NbdServerTls | undefined): TlsOptions {
  if (tls === undefined) return {}
  const options: TlsOptions = { key: tls.key, cert: tls.certificate, minVersion: 'TLSv1.2' }
  if (tls.clientAuthorities === undefined) return options
  return { ...options, ca: tls.clientAuthorities, requestCert: true, rejectUnauthorized: true }
}

/**
 * Binds in a private directory and moves the socket into place with its mode set: at no moment can
 * another user connect, and umask, which belongs to the whole process, stays alone. The move also
 * replaces a file left by a killed process; a live server's is refused.
 *
 * @returns what removes the socket again
 */
async function listenOnPath(listener: net.Server, socketPath: string): Promise<() => void> {
  const address = { socketPath }
  const old = statSync(socketPath, { throwIfNoEntry: false })
  if (old !== undefined && !(old.isSocket() && (await isDeadSocket(socketPath)))) {
    throw new MaasError('FS_EXISTS', 'that path is in use', { path: socketPath })
  }
  const directory = makePrivateDirectory(socketPath)
  const path = join(directory, 's')
  try {
    if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
      throw new MaasError('USAGE', 'the socket path is too long', { path: socketPath })
    }
    await listenOn(listener, { path }, address)
    chmodSync(path, 0o600)
    renameSync(path, socketPath)
  } catch (error) {
    listener.close()
    throw error
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  const { ino } = statSync(socketPath)
  return () => {
    // Another server may have moved its own into place meanwhile.
    if (statSync(socketPath, { throwIfNoEntry: false })?.ino === ino) unlinkSync(socketPath)
  }
}

function makePrivateDirectory(socketPath: string): string {
  try {
    return mkdtempSync(join(dirname(socketPath), '.nbd-'))
  } catch (cause) {
    throw listenError(cause as NodeJS.ErrnoException, { socketPath })
  }
}

function isDeadSocket(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ path: socketPath })
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}

function listenOn(
  listener: net.Server,
  options: net.ListenOptions,
  address: NbdAddress,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: NodeJS.ErrnoException): void => reject(listenError(cause, address))
    listener.once('error', refuse)
    listener.listen(options, () => {
      listener.removeListener('error', refuse)
      resolve()
    })
  })
}

function listenError(cause: NodeJS.ErrnoException, address: NbdAddress): MaasError {
  const details = { address: formatAddress(address), errno: cause.code }
  const denied = cause.code === 'EACCES' || cause.code === 'EPERM' || cause.code === 'EROFS'
  const code = cause.code === 'EADDRINUSE' ? 'FS_EXISTS' : denied ? 'FS_DENIED' : 'FS_NOT_FOUND'
  return new MaasError(code, 'cannot listen for NBD clients', details, { cause })
}
