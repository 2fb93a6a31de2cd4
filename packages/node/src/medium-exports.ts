/**
 * The media of this node as other hosts see them: one NBD listener with TLS before all engines.
 *
 *   host ──NBD over TLS──▶ this listener ──NBD over a unix socket──▶ the medium's engine
 *
 * A client shows its host's certificate and asks for `<medium>?<ticket>`; the ticket, signed by
 * control, names host, purpose and export. The engine outlives this process: hosts reconnect and
 * send again what was not answered, whichever of the two was killed.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { PeerCertificate } from 'node:tls'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { listMediaStatus } from '@openmaas/agent/media/reconcile'
import type { MediumRecord } from '@openmaas/medium/media/record'
import { hostOfCertificate } from '@openmaas/protocols/data/peer'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import type { NbdExport, NbdExports } from '@openmaas/protocols/nbd/export'
import { type NbdAddress, parseNbdAddress } from '@openmaas/protocols/nbd/listen-address'
import { NbdServer, type NbdServerTls } from '@openmaas/protocols/nbd/server'
import { NBD_TICKET_SEPARATOR } from '@openmaas/protocols/data/peer'
import type { Node } from './node.ts'
import type { NodeTls, TicketCheck } from './security.ts'

export interface MediumExportsOptions {
  readonly node: Node
  readonly tls: NodeTls
  readonly tickets: TicketCheck
}

/** An engine that a keeper restarts is back within a second; a machine in trouble takes longer. */
const ENGINE_TIMEOUT_MS = 300_000
const RETRY_PAUSE_MS = 250

export class MediumExports implements AsyncDisposable {
  readonly #options: MediumExportsOptions
  readonly #server: NbdServer
  readonly #served = new Map<string, NbdClient>()
  /** Which hosts have shown a good ticket: they come back after its time, while it is served. */
  readonly #admitted = new Map<string, Set<string>>()
  readonly #closing = new AbortController()

  constructor(options: MediumExportsOptions) {
    this.#options = options
    this.#server = new NbdServer({
      exports: new Map(),
      exportsFor: (peer) => new PeerExports((name) => this.#admit(peer, name)),
      tls: serverTls(options.tls),
      onEvent: (event) => {
        if (event.type === 'failed') options.node.onProblem(toMaasError(event.error))
      },
    })
  }

  /** @returns the address with the port that was chosen */
  listen(address: { host: string; port: number }): Promise<NbdAddress> {
    return this.#server.listen(address)
  }

  /** Reaches the engine and offers it; again is fine. @throws MaasError NBD_UNREACHABLE */
  async add(mediumId: string, record: MediumRecord): Promise<void> {
    if (this.#served.has(mediumId)) return
    this.#served.set(mediumId, await this.#reach(record))
  }

  /**
   * The medium has grown: whoever connects from now on is told. The clients of before are let go,
   * and send again what was not answered.
   */
  async reopen(mediumId: string, record: MediumRecord): Promise<void> {
    const before = this.#served.get(mediumId)
    if (before === undefined) return
    this.#served.set(mediumId, await this.#reach(record))
    this.#server.disconnect(mediumId)
    await before.close()
  }

  /** @throws MaasError NBD_UNREACHABLE, NBD_EXPORT_UNKNOWN */
  async #reach(record: MediumRecord): Promise<NbdClient> {
    const address = record.attachment?.nbd
    if (address === undefined) {
      throw new MaasError('NBD_EXPORT_UNKNOWN', 'the medium is not exported', { id: record.id })
    }
    return NbdClient.connect({
      address: parseNbdAddress(address),
      exportName: record.id,
      mayGrow: true, // By `reopen`, or by an order that ended with the node before this one.
      reconnectTimeoutMs: ENGINE_TIMEOUT_MS,
      signal: this.#closing.signal,
    })
  }

  /** Its clients are let go; what they had in flight is answered. */
  async remove(mediumId: string): Promise<void> {
    const served = this.#served.get(mediumId)
    if (served === undefined) return
    this.#served.delete(mediumId)
    this.#admitted.delete(mediumId)
    this.#server.disconnect(mediumId)
    await served.close()
  }

  /** The node's certificate is a new one. */
  renew(tls: NodeTls): void {
    this.#server.renew(serverTls(tls))
  }

  /** Connections of hosts that use it now. */
  usersOf(mediumId: string): number {
    return this.#server.usersOf(mediumId)
  }

  /** After a restart: offers again what other hosts have attached. Never rejects. */
  async restore(): Promise<void> {
    await Promise.all(
      this.#options.node.pools.flatMap((pool) =>
        listMediaStatus(pool.access).map(async ({ record, state }) => {
          const { controlId, attachment } = record
          if (controlId === undefined || attachment?.nbd === undefined) return
          if (state === 'plugged' || state === 'restarting')
            await this.#keepTrying(controlId, record)
        }),
      ),
    )
  }

  async close(): Promise<void> {
    await this.#server.close()
    this.#closing.abort()
    this.#served.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #keepTrying(mediumId: string, record: MediumRecord): Promise<void> {
    const { clock, onProblem } = this.#options.node
    const beginMs = clock.monotonicMs()
    while (!this.#closing.signal.aborted) {
      try {
        await this.add(mediumId, record)
        return
      } catch (error) {
        if (clock.monotonicMs() - beginMs > ENGINE_TIMEOUT_MS) {
          onProblem(toMaasError(error))
          return
        }
      }
      await delay(RETRY_PAUSE_MS)
    }
  }

  /** @returns undefined for whoever may not know that the export exists */
  #admit(peer: PeerCertificate, name: string): NbdExport | undefined {
    const at = name.indexOf(NBD_TICKET_SEPARATOR)
    const mediumId = name.slice(0, Math.max(0, at))
    const device = this.#served.get(mediumId)
    const hostId = hostOfCertificate(peer)
    if (device === undefined || hostId === undefined) return undefined
    const admitted = this.#admitted.get(mediumId)
    if (admitted?.has(hostId) !== true) {
      if (!this.#holdsTicket(hostId, mediumId, name.slice(at + 1))) return undefined
      this.#admitted.set(mediumId, new Set(admitted).add(hostId))
    }
    return { open: () => device, multiConn: true, name: mediumId }
  }

  #holdsTicket(hostId: string, mediumId: string, text: string): boolean {
    try {
      const ticket = this.#options.tickets.check(text)
      return ticket.purpose === 'nbd' && ticket.hostId === hostId && ticket.exportName === mediumId
    } catch (error) {
      if (error instanceof MaasError) return false
      throw error
    }
  }
}

function serverTls({ key, certificate, authorities }: NodeTls): NbdServerTls {
  return { mode: 'require', key, certificate, clientAuthorities: authorities }
}

/** What one client may open; it is never listed anything. */
class PeerExports extends Map<string, NbdExport> implements NbdExports {
  readonly #admit: (name: string) => NbdExport | undefined

  constructor(admit: (name: string) => NbdExport | undefined) {
    super()
    this.#admit = admit
  }

  override get(name: string): NbdExport | undefined {
    return this.#admit(name)
  }

  override has(name: string): boolean {
    return this.#admit(name) !== undefined
  }
}
