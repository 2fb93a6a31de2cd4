/** Everything a node does when it is ordered to: the verbs of `role: 'node'` in orders.ts. */
import type { OrderHandlers, Verb } from '@openmaas/protocols/channel/orders'
import type { ORDERS } from '@openmaas/protocols/channel/orders'
import { makeCatalogHandlers } from './handlers/catalog-handlers.ts'
import { makeMediumHandlers } from './handlers/medium-handlers.ts'
import { makePointHandlers } from './handlers/point-handlers.ts'
import { makePoolHandlers } from './handlers/pool-handlers.ts'
import { makeVolumeHandlers } from './handlers/volume-handlers.ts'
import type { MediumExports } from './medium-exports.ts'
import type { Node } from './node.ts'

/** Verbs that a node understands. */
export type NodeVerb = {
  [V in Verb]: (typeof ORDERS)[V]['role'] extends 'node' ? V : never
}[Verb]

/** @param exports absent: media are served on this host only */
export function makeNodeHandlers(
  node: Node,
  exports?: MediumExports,
): Required<Pick<OrderHandlers, NodeVerb>> {
  return {
    ...makePoolHandlers(node),
    ...makePointHandlers(node),
    ...makeMediumHandlers(node, exports),
    ...makeVolumeHandlers(node, exports),
    ...makeCatalogHandlers(node),
  }
}
