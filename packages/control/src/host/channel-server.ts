/**
 * The channel port: TLS 1.3 with a certificate asked of everybody. Without one there is
 * `POST /join` and nothing else; with one that is ours, good and in the catalog, there is the
 * WebSocket. TLS sessions are not resumed: every connection is checked against the catalog.
 */
import { constants, X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import type { Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { toMaasError } from '@openmaas/kernel/error-message'
import { ERROR_CATEGORIES, MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import {
  CHANNEL_PATH,
  CHANNEL_PROTOCOL,
  FRAME_SIZE_MAX,
  toWireError,
} from '@openmaas/protocols/channel/frames'
import { joinRequest } from './enrolment.ts'
import { HostLink } from './host-link.ts'
import type { LinkOwner } from './host-link.ts'
import type { Peer } from './host-registry.ts'

const log = makeLog('openmaas:control:channel')

/** Sockets: hosts, and strangers who have not shown yet that they are. */
const CONNECTIONS_MAX = 20_000
/** Strangers whose request is being worked on; more are told to come back. */
const JOINS_AT_ONCE = 8
const JOIN_SIZE_MAX = 64 * 1024
/** A stranger who has not finished TLS, its headers or its body by then is dropped. */
const HANDSHAKE_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 20_000
/** The server's own certificate is looked at so often; it lasts a year. */
const RENEW_CHECK_EVERY_MS = 3600_000
/** No session is resumed: every connection shows its certificate. */
const TLS_OPTIONS = {
  minVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const

export interface ChannelServerOptions extends Omit<LinkOwner, 'onOpen' | 'onClose'> {
  readonly host: string
  /** 0 chooses one. */
  readonly port: number
}

export class ChannelServer implements AsyncDisposable {
  readonly #options: ChannelServerOptions
  readonly #server: Server
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_SIZE_MAX,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(CHANNEL_PROTOCOL) ? CHANNEL_PROTOCOL : false),
  })
  /** Every link, admitted or not. */
  readonly #links = new Set<HostLink>()
  /** The admitted one of each host. */
  readonly #open = new Map<string, HostLink>()
  #joins = 0
  #ticking: Promise<void> | undefined
  #timers: NodeJS.Timeout[] = []

  private constructor(options: ChannelServerOptions, server: Server) {
    this.#options = options
    this.#server = server
  }

  static async listen(options: ChannelServerOptions): Promise<ChannelServer> {
    const { ca, registry } = options
    const { key, cert } = await ca.serverCredentials()
    const server = createServer({
      key,
      cert,
      ca: ca.rootPem,
      requestCert: true,
      // Who has none may still join; the chain's verdict is `authorized`.
      rejectUnauthorized: false,
      ...TLS_OPTIONS,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      headersTimeout: HANDSHAKE_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: 1000,
      maxHeaderSize: 8 * 1024,
    })
    server.maxConnections = CONNECTIONS_MAX
    for (const hostId of await registry.begin()) options.orders.expect(hostId)
    const channel = new ChannelServer(options, server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, options.host, resolve)
    })
    channel.#begin()
    return channel
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #begin(): void {
    const { registry, orders } = this.#options
    this.#server.on('request', (request, response) => void this.#answer(request, response))
    this.#server.on('upgrade', (request, socket, head) => {
      void this.#upgrade(request, socket, head)
    })
    this.#server.on('tlsClientError', (error) => log.debug('TLS failed', { error }))
    this.#server.on('error', (error) => log.error('channel port failed', { error }))
    registry.onDenied((hostId, reason) => {
      for (const link of this.#links) if (link.hostId === hostId) link.refuse(reason)
      orders.forget(hostId, reason)
    })
    this.#timers = [
      setInterval(() => this.#tick(), 1000).unref(),
      setInterval(() => void this.#renewOwn(), RENEW_CHECK_EVERY_MS).unref(),
    ]
  }

  #tick(): void {
    for (const link of this.#links) link.tick()
    // A slow catalog must not make a queue of ticks.
    this.#ticking ??= this.#options.registry
      .tick()
      .catch((error: unknown) => log.error('hosts could not be recorded', { error }))
      .finally(() => (this.#ticking = undefined))
  }

  async #renewOwn(): Promise<void> {
    try {
      const { ca } = this.#options
      const { key, cert } = await ca.serverCredentials()
      this.#server.setSecureContext({ key, cert, ca: ca.rootPem, ...TLS_OPTIONS })
    } catch (error) {
      log.error('the server certificate could not be renewed', { error })
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = request.url ?? ''
      if (request.method !== 'POST' || url !== '/join') {
        throw new MaasError('CERTIFICATE_MISSING', 'this port is for hosts that joined')
      }
      const body = joinRequest.safeParse(await readJson(request))
      if (!body.success) throw malformed()
      if (this.#joins >= JOINS_AT_ONCE) throw new MaasError('ORDERS_TOO_MANY', 'too many at once')
      this.#joins += 1
      try {
        const address = request.socket.remoteAddress ?? ''
        const answer = await this.#options.enrolment.join(body.data, address)
        log.info('host joined', { hostId: answer.hostId, address })
        reply(response, 200, answer)
      } finally {
        this.#joins -= 1
      }
    } catch (error) {
      const known = toMaasError(error)
      if (known.code === 'INTERNAL') log.error('join failed', { error })
      const { code, message } = toWireError(known)
      const inner = known.code === 'INTERNAL' ? 'internal error' : message
      reply(response, httpStatus(known), { code, message: inner })
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Until WebSocket takes over, nobody else would catch it.
    const ignore = (): void => {}
    socket.on('error', ignore)
    try {
      const peer = await this.#checkPeer(request)
      const protocols = request.headers['sec-websocket-protocol'] ?? ''
      if (!protocols.split(',').some((name) => name.trim() === CHANNEL_PROTOCOL)) {
        throw new MaasError('CHANNEL_VERSION_UNSUPPORTED', `not ${CHANNEL_PROTOCOL}`)
      }
      socket.off('error', ignore)
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#links.add(new HostLink(peer, webSocket, this.#linkOwner()))
      })
    } catch (error) {
      const known = toMaasError(error)
      const level = known.code === 'INTERNAL' ? 'error' : 'warn'
      log[level]('host refused', { address: request.socket.remoteAddress, error })
      refuseUpgrade(socket, known)
    }
  }

  async #checkPeer(request: IncomingMessage): Promise<Peer> {
    const socket = request.socket as TLSSocket
    if (request.url !== CHANNEL_PATH) {
      throw new MaasError('CERTIFICATE_MISSING', 'this port is for hosts that joined')
    }
    const { raw } = socket.getPeerCertificate()
    if (raw === undefined) {
      throw new MaasError('CERTIFICATE_MISSING', 'no certificate was shown')
    }
    if (!socket.authorized) {
      const reason = String(socket.authorizationError)
      throw new MaasError('CERTIFICATE_INVALID', `the certificate is refused: ${reason}`, {
        reason,
      })
    }
    return this.#options.registry.checkPeer(new X509Certificate(raw))
  }

  #linkOwner(): LinkOwner {
    return {
      ...this.#options,
      onOpen: (link) => {
        // A host has one connection: the older one is dead, or a copy of the machine.
        const older = this.#open.get(link.hostId)
        this.#open.set(link.hostId, link)
        older?.terminate()
      },
      onClose: (link) => {
        this.#links.delete(link)
        const open = this.#open.get(link.hostId)
        if (open !== undefined && open !== link) return
        this.#open.delete(link.hostId)
        this.#options.registry.disconnect(link.hostId)
      },
    }
  }

  /** Hosts keep what they do and come back to the next server. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    for (const link of this.#links) link.terminate()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
    await this.#ticking
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > JOIN_SIZE_MAX) throw malformed()
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown
  } catch {
    throw malformed()
  }
}

function malformed(): MaasError {
  return new MaasError('CHANNEL_PROTOCOL_VIOLATION', 'not a request to join')
}

/** 401 tells a program that it lacks a certificate; the rest is by category. */
function httpStatus(error: MaasError): number {
  return error.code === 'CERTIFICATE_MISSING' ? 401 : ERROR_CATEGORIES[error.category].http
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
  })
  response.end(text)
}

function refuseUpgrade(socket: Duplex, error: MaasError): void {
  const { code, message } = toWireError(error)
  const inner = code === 'INTERNAL' ? 'internal error' : message
  const body = JSON.stringify({ code, message: inner })
  const lines = [
    `HTTP/1.1 ${httpStatus(error)} Refused`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
  setTimeout(() => socket.destroy(), 1000).unref()
}
