/** Hosts reach nodes in this process where both are embedded, else by a ticket of control's. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import type { Params, PoolTarget } from '@openmaas/protocols/channel/orders'
import { signTicket } from '@openmaas/protocols/channel/ticket'
import type { TicketSigner } from '@openmaas/protocols/channel/ticket'
import { DATA_TIMEOUT_MS } from './services.ts'
import type { MediumTargetRequest, TargetChooser, TargetRequest } from './services.ts'

/** Where agents reach a node; null while it has not said. */
export interface NodePlace {
  /** host:port */
  readonly dataAddress: string | null
  readonly nbdAddress: string | null
  /** Of its certificate. */
  readonly fingerprint: string | null
}

export interface TicketTargetsOptions {
  readonly clock: Clock
  /** Both run in this process, so no network lies between them. */
  isEmbedded(hostId: string, nodeId: string): boolean
  placeOf(nodeId: string): Promise<NodePlace>
  readonly signer: Omit<TicketSigner, 'nowMs'>
}

export class TicketTargets implements TargetChooser {
  readonly #options: TicketTargetsOptions

  constructor(options: TicketTargetsOptions) {
    this.#options = options
  }

  isLocal(hostId: string, nodeId: string): boolean {
    return this.#options.isEmbedded(hostId, nodeId)
  }

  async target(request: TargetRequest): Promise<PoolTarget> {
    const { poolId, nodeId, hostId, sourceId, purpose, snapshotIds, channels } = request
    if (this.#options.isEmbedded(hostId, nodeId)) return { kind: 'local', poolId }
    const { dataAddress, fingerprint } = await this.#options.placeOf(nodeId)
    const nowMs = this.#options.clock.wallMs()
    const expiresAt = nowMs + DATA_TIMEOUT_MS
    const fields = { purpose, poolId, sourceId, hostId, snapshotIds: [...snapshotIds], expiresAt }
    return {
      kind: 'node',
      poolId,
      address: known(dataAddress, nodeId),
      fingerprint: known(fingerprint, nodeId),
      ticket: signTicket(fields, { ...this.#options.signer, nowMs }),
      channels,
    }
  }

  async medium(request: MediumTargetRequest): Promise<NonNullable<Params<'medium.attach'>['nbd']>> {
    const { poolId, nodeId, hostId, sourceId, exportName } = request
    const { nbdAddress, fingerprint } = await this.#options.placeOf(nodeId)
    const nowMs = this.#options.clock.wallMs()
    // Not the lease's end: after that the host still has to write back what it holds, and detach.
    const expiresAt = Number.MAX_SAFE_INTEGER
    const fields = { purpose: 'nbd', poolId, sourceId, hostId, exportName, expiresAt } as const
    return {
      address: known(nbdAddress, nodeId),
      exportName,
      fingerprint: known(fingerprint, nodeId),
      ticket: signTicket(fields, { ...this.#options.signer, nowMs }),
    }
  }
}

function known(value: string | null, nodeId: string): string {
  if (value !== null) return value
  const message = 'the node has not told where it can be reached'
  throw new MaasError('HOST_OFFLINE', message, { hostId: nodeId })
}
