/** What agent/session asks for as `remote`: captures and restores through a node's data port. */
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'
import type { AgentIdentity } from './channel-messages.ts'
import { remoteCapture } from './remote-capture.ts'
import { remoteRestore } from './remote-restore.ts'

type Handler<V extends keyof OrderHandlers> = NonNullable<OrderHandlers[V]>

export interface RemotePools {
  readonly capture: Handler<'source.capture'>
  readonly restore: Handler<'point.restore'>
}

/** @param identity asked each time: certificates are renewed */
export function makeRemotePools(identity: () => AgentIdentity): RemotePools {
  return {
    capture: (params, context) => remoteCapture(params, { ...context, identity: identity() }),
    restore: (params, context) => remoteRestore(params, { ...context, identity: identity() }),
  }
}
