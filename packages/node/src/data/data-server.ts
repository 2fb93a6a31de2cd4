/**
 * The node's data port: TLS with certificates on both sides, a ticket in the first frame, then
 * the connection goes to its session. Protocol: docs/protocols/data.md.
 */
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import { errorToMessage, toMaasError } from '@openmaas/kernel/error-message'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { Ticket } from '@openmaas/protocols/channel/ticket'
import {
  DATA_VERSION,
  dataViolation,
  encodeJson,
  FrameDecoder,
  FrameType,
  HELLO_SIZE_MAX,
} from '@openmaas/protocols/data/frames'
import { decodeMessage, hello as helloSchema, type Hello } from '@openmaas/protocols/data/messages'
import { hostOfCertificate } from '@openmaas/protocols/data/peer'
import type { Node } from '../node.ts'
import { requireSnapshot } from '../node.ts'
import type { NodeTls, TicketCheck } from '../security.ts'
import { SOURCE_TAG } from '../snapshot-catalog.ts'
import { DataSession, describeCaptured } from './data-session.ts'
import { REFERENCES_MAX } from './shown.ts'

/** Each connection of a capture may fill 80 MiB of pack buffers. */
const SESSIONS_MAX = 64
/** Of all sessions: each has a thread. */
const CONNECTIONS_MAX = 128
/** Connections that have not said their HELLO. */
const UNKNOWN_MAX = 128
const HELLO_TIMEOUT_MS = 10_000
/** No session is silent for so long: a commit of ten million entries takes less. */
const IDLE_TIMEOUT_MS = 600_000
const KEEP_ALIVE_MS = 15_000

export interface DataServerOptions {
  readonly node: Node
  readonly tls: NodeTls
  readonly tickets: TicketCheck
}

export class DataServer implements AsyncDisposable {
  readonly #options: DataServerOptions
  readonly #server: Server
  readonly #sessions = new Map<string, DataSession>()
  readonly #unknown = new Set<TLSSocket>()
  #opening = 0
  #idle: (() => void) | undefined
  #closed = false

  constructor(options: DataServerOptions) {
    this.#options = options
    this.#server = createServer(
      {
        ...contextOf(options.tls),
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: HELLO_TIMEOUT_MS,
      },
      (socket) => this.#accept(socket),
    )
    // Peers that do not get through the handshake: they are gone, and nothing was begun.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy())
    this.#server.maxConnections = CONNECTIONS_MAX + UNKNOWN_MAX
  }

  /** @returns the port, chosen by the system when 0 was asked for. @throws MaasError FS_* */
  async listen({ host, port }: { host: string; port: number }): Promise<number> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        this.#server.listen({ host, port }, resolve)
      })
    } catch (error) {
      throw toMaasError(error)
    }
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : port
  }

  /** The node's certificate is a new one: it counts from the next connection on. */
  renew(tls: NodeTls): void {
    this.#server.setSecureContext(contextOf(tls))
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** Sessions end without a result; what they had stored is garbage for the next collection. */
  async close(): Promise<void> {
    this.#closed = true
    this.#server.close()
    for (const socket of this.#unknown) socket.destroy()
    const over = new MaasError('DATA_UNREACHABLE', 'the node is closing its data port')
    for (const session of this.#sessions.values()) session.failed(over)
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #accept(socket: TLSSocket): void {
    // The reason is told by 'close', which follows.
    socket.on('error', () => socket.destroy())
    if (this.#closed || this.#unknown.size >= UNKNOWN_MAX) {
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    this.#unknown.add(socket)
    const decoder = new FrameDecoder(HELLO_SIZE_MAX)
    const timer = setTimeout(() => socket.destroy(), HELLO_TIMEOUT_MS)
    const known = (): void => {
      clearTimeout(timer)
      this.#unknown.delete(socket)
    }
    socket.once('close', known)
    const receive = (bytes: Buffer): void => {
      try {
        const [first] = decoder.receive(bytes)
        if (first === undefined) return
        if (first.type !== FrameType.hello) throw dataViolation('it begins with a HELLO')
        // Paused: what follows belongs to the session.
        socket.pause()
        socket.removeListener('data', receive)
        known()
        socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
        const message = decodeMessage(helloSchema, first.payload)
        void this.#admit(socket, message, decoder.rest).catch((error: unknown) => {
          refuse(socket, error)
        })
      } catch (error) {
        refuse(socket, error)
      }
    }
    socket.on('data', receive)
  }

  async #admit(socket: TLSSocket, { version, ticket, open }: Hello, rest: Buffer): Promise<void> {
    if (version !== DATA_VERSION) throw dataViolation(`version ${version}`)
    const checked = this.#options.tickets.check(ticket)
    if (hostOfCertificate(socket.getPeerCertificate()) !== checked.hostId) {
      throw new MaasError('TICKET_INVALID', 'the ticket is for another host')
    }
    const connections = [...this.#sessions.values()].map((each) => each.connectionCount)
    if (connections.reduce((sum, count) => sum + count, 0) >= CONNECTIONS_MAX) {
      throw new MaasError('DATA_SESSIONS_TOO_MANY', 'the node has as many connections as it may')
    }
    if (open.do === 'join') {
      const session = this.#sessions.get(open.session)
      const own = session?.ticket.hostId === checked.hostId
      if (session === undefined || !own || session.ticket.sourceId !== checked.sourceId) {
        throw new MaasError('SESSION_CLOSED', 'there is no such session')
      }
      session.attach(socket, rest, true)
      return
    }
    if (checked.purpose !== open.do) {
      throw new MaasError('TICKET_INVALID', `the ticket is for a ${checked.purpose}`)
    }
    if (this.#sessions.size + this.#opening >= SESSIONS_MAX) {
      throw new MaasError('DATA_SESSIONS_TOO_MANY', 'the node has as many sessions as it may')
    }
    this.#opening += 1
    try {
      await this.#begin(socket, checked, open, rest)
    } finally {
      this.#opening -= 1
    }
  }

  async #begin(
    socket: TLSSocket,
    ticket: Ticket,
    open: Exclude<Hello['open'], { do: 'join' }>,
    rest: Buffer,
  ): Promise<void> {
    const pool = await this.#options.node.pool(ticket.poolId)
    await pool.distrusted
    if (open.do === 'capture') {
      const { kind, requestId, parentSnapshotId } = open
      const done = pool.snapshots.ofRequest(ticket.sourceId, requestId)
      if (done !== undefined) {
        const answer = { version: 1, session: 'done', keys: null, parent: null, snapshot: null }
        const told = { ...answer, done: describeCaptured(pool, done) }
        socket.end(encodeJson(FrameType.welcome, told))
        return
      }
      const row = pool.snapshots.parentOf(ticket.sourceId, parentSnapshotId)
      const fits = row?.kind === kind && row.chunkCount <= REFERENCES_MAX
      // What was lost is healed only by reading it again: then nothing may be taken over unread.
      const healthy = pool.pool.status().lostPacks.length === 0
      const parent = fits && healthy ? row : undefined
      await this.#open(socket, rest, {
        pool,
        ticket,
        work: { capture: { kind, requestId, parent } },
      })
      return
    }
    if (ticket.snapshotIds?.includes(open.snapshotId) !== true) {
      throw new MaasError('TICKET_INVALID', 'the ticket is for other snapshots')
    }
    const { row, manifest } = requireSnapshot(pool, open.snapshotId)
    const ofSource = manifest?.tags?.[SOURCE_TAG]
    if (ofSource !== undefined && ofSource !== ticket.sourceId) {
      throw new MaasError('TICKET_INVALID', 'the ticket is for another source')
    }
    await this.#open(socket, rest, { pool, ticket, work: { restore: row } })
  }

  async #open(
    socket: TLSSocket,
    rest: Buffer,
    options: Omit<Parameters<typeof DataSession.open>[0], 'ended'>,
  ): Promise<void> {
    const ended = (over: DataSession, error: unknown): void => this.#ended(over, error)
    const session = await DataSession.open({ ...options, ended })
    this.#sessions.set(session.id, session)
    if (this.#closed || socket.destroyed) {
      session.failed(new MaasError('DATA_UNREACHABLE', 'the connection is gone'))
      return
    }
    session.attach(socket, rest, false)
  }

  #ended(session: DataSession, error: unknown): void {
    this.#sessions.delete(session.id)
    // Agents come and go; what the pool or the node did wrong is told.
    if (isMaasError(error) && error.category === 'corrupt') this.#options.node.onProblem(error)
    if (this.#sessions.size === 0) this.#idle?.()
  }
}

function contextOf({ key, certificate, authorities }: NodeTls): SecureContextOptions {
  return { key, cert: certificate, ca: authorities, minVersion: 'TLSv1.3' }
}

function refuse(socket: TLSSocket, error: unknown): void {
  const { code, message } = errorToMessage(error)
  socket.removeAllListeners('data')
  socket.resume() // So that its end is seen.
  socket.end(encodeJson(FrameType.error, { code, message, details: {} }))
  setTimeout(() => socket.destroy(), HELLO_TIMEOUT_MS).unref()
}
