/** What kinds of jobs need of the rest of control, given by the composition root. */
import type { Random } from '@openmaas/kernel/random'
import type { Params, PoolTarget } from '@openmaas/protocols/channel/orders'
import type { Trx } from '../definition.ts'
import type { JobRequest } from '../queue.ts'

export interface TargetRequest {
  readonly purpose: 'capture' | 'restore'
  /** The agent that sends or fetches. */
  readonly hostId: string
  readonly nodeId: string
  readonly poolId: string
  readonly sourceId: string
  /** What may be read. */
  readonly snapshotIds: readonly string[]
  /** TLS connections. */
  readonly channels: number
}

export interface MediumTargetRequest {
  readonly hostId: string
  readonly nodeId: string
  readonly poolId: string
  readonly sourceId: string
  readonly mediumId: string
  readonly exportName: string
}

/** How hosts reach nodes: in this process, or over the network with a ticket. */
export interface TargetChooser {
  /** Host and node are one machine, in one process: what the node serves is a disk there. */
  isLocal(hostId: string, nodeId: string): boolean
  /** @throws MaasError HOST_OFFLINE when the node is not known to be anywhere */
  target(request: TargetRequest): Promise<PoolTarget>
  medium(request: MediumTargetRequest): Promise<NonNullable<Params<'medium.attach'>['nbd']>>
}

export interface KindServices {
  readonly random: Random
  readonly targets: TargetChooser
  /** What follows from a job: the engine's own `enqueue`. */
  enqueue(trx: Trx, request: JobRequest): Promise<string>
  /**
   * A secret of a protected system, or of a virtual database.
   *
   * @throws MaasError SECRET_NOT_FOUND, SEALED_INVALID
   */
  openSecret(secretId: string): Promise<string>
  /** Writes a copy of the catalog where the node can read it. @returns its path */
  exportCatalog(jobId: string): Promise<string>
  /** Removes it. */
  removeExport(jobId: string): Promise<void>
}

/** A capture or restore may take this long; what takes longer has a fault that nobody sees. */
export const DATA_TIMEOUT_MS = 48 * 3_600_000
/** Everything else that an agent or node is asked for. */
export const ORDER_TIMEOUT_MS = 5 * 60_000
