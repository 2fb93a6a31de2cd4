/** The two ports of a node: data for agents, NBD for hosts that have media attached. */
import { DataServer } from '@openmaas/node/data/data-server'
import { MediumExports } from '@openmaas/node/medium-exports'
import type { Node } from '@openmaas/node/node'
import { makeTicketCheck } from '@openmaas/node/security'
import type { NodeTls } from '@openmaas/node/security'
import type { TicketKey } from '@openmaas/protocols/channel/ticket'
import type { Address } from './address.ts'

export interface NodePortOptions {
  readonly node: Node
  readonly tls: NodeTls
  readonly ticketKeys: () => readonly TicketKey[]
  /** Control's time. */
  readonly nowMs: () => number
  readonly dataListen: Address
  readonly nbdListen: Address
}

export interface NodePorts extends AsyncDisposable {
  readonly exports: MediumExports
  readonly dataPort: number
  readonly nbdPort: number
  /** With another certificate from the next connection on. */
  renew(tls: NodeTls): void
}

/** @throws the error of listen, with its address and port */
export async function openNodePorts(options: NodePortOptions): Promise<NodePorts> {
  await using stack = new AsyncDisposableStack()
  const { node, tls } = options
  const tickets = makeTicketCheck(options.ticketKeys, options.nowMs)
  const exports = stack.use(new MediumExports({ node, tls, tickets }))
  const nbd = await exports.listen(options.nbdListen)
  const data = stack.use(new DataServer({ node, tls, tickets }))
  const dataPort = await data.listen(options.dataListen)
  // Engines that outlived the last process are offered again; nobody need wait for it.
  void exports.restore()
  const owned = stack.move()
  return {
    exports,
    dataPort,
    nbdPort: 'port' in nbd ? nbd.port : options.nbdListen.port,
    renew: (renewed) => {
      exports.renew(renewed)
      data.renew(renewed)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
