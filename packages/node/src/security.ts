/** What the node's listeners need to know whom they talk to; the composition root supplies it. */
import type { Ticket, TicketKey } from '@openmaas/protocols/channel/ticket'
import { verifyTicket } from '@openmaas/protocols/channel/ticket'

/** PEM texts: the node's own certificate, and the authority that signs those of hosts. */
export interface NodeTls {
  readonly key: string
  readonly certificate: string
  readonly authorities: string
}

export interface TicketCheck {
  /** @throws MaasError TICKET_INVALID, TICKET_EXPIRED */
  check(ticket: string): Ticket
}

/** By the keys and the time that control said at welcome. */
export function makeTicketCheck(
  keys: () => readonly TicketKey[],
  nowMs: () => number,
): TicketCheck {
  return { check: (ticket) => verifyTicket(ticket, keys(), nowMs()) }
}
