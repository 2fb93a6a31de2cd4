/**
 * What the agent's session needs of the rest of its process. The composition root supplies it:
 * an agent on a host of its own has `remote`, one embedded in `serve` has `local` too.
 */
import type { DatabasePlugins } from '../database/plugins.ts'
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'

type Handler<V extends keyof OrderHandlers> = NonNullable<OrderHandlers[V]>

/** Moves bytes between this host and a pool; parameters are checked already. */
export interface DataPath {
  capture: Handler<'source.capture'>
  restore: Handler<'point.restore'>
}

/** For targets of kind `local`: pools that are open in this very process (packages/node). */
export type LocalPools = DataPath

/** For targets of kind `node`: the data wire (agent/remote). */
export type RemotePools = DataPath

/** Makes media disks of this host (agent/attach). Each is idempotent by `mediumId`. */
export interface MediumPort {
  attach: Handler<'medium.attach'>
  detach: Handler<'medium.detach'>
  attached: Handler<'medium.attached'>
  resize: Handler<'medium.resize'>
}

export interface AgentPorts {
  readonly local?: LocalPools
  readonly remote?: RemotePools
  readonly media?: MediumPort
  /** Engines that this host can protect and run. */
  readonly databases?: DatabasePlugins
}
