/**
 * Tickets: what control lets one host do at one node's data or NBD port, for a while.
 *
 *   base64url(JSON) "." base64url(Ed25519 signature over the bytes of the first part)
 *
 * Control signs; nodes verify with the keys they got at welcome. A ticket names its host, so a
 * stolen one is worth nothing without that host's certificate. Specification:
 * docs/protocols/channel.md, "Tickets".
 */
import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { MaasError } from '@openmaas/kernel/errors'
import { z } from 'zod'

/** Long enough for 1000 snapshot ids; what is longer is no ticket of ours. */
export const TICKET_SIZE_MAX = 64 * 1024
/** A first capture of a large host over a slow line, with its reconnects. */
export const TICKET_LIFETIME_MAX_MS = 7 * 24 * 3600_000
/**
 * Of a medium: longer than any lease. It is shown at every reconnect, and a lease may be extended;
 * what ends the use of an export is that the node withdraws it.
 */
const MEDIUM_TICKET_LIFETIME_MAX_MS = 400 * 24 * 3600_000
/** Two machines that keep time differ by less; hosts with more skew are warned about. */
const TICKET_SKEW_MAX_MS = 5_000

const id = z.string().min(1).max(128)

const ticketSchema = z.object({
  v: z.literal(1),
  keyId: id,
  purpose: z.enum(['capture', 'restore', 'nbd']),
  poolId: id,
  sourceId: id,
  hostId: id,
  /** The snapshots that may be read. */
  snapshotIds: z.array(id).max(1000).optional(),
  /** The NBD export that may be opened. */
  exportName: z.string().min(1).max(4096).optional(),
  issuedAt: z.number().int().nonnegative(),
  expiresAt: z.number().int().nonnegative(),
})
export type Ticket = z.infer<typeof ticketSchema>
export type TicketPurpose = Ticket['purpose']
export type TicketFields = Omit<Ticket, 'v' | 'keyId' | 'issuedAt'>

/** A public key as it is handed to nodes. */
export const ticketKey = z.object({ id, publicKey: z.string().max(1024) })
export type TicketKey = z.infer<typeof ticketKey>

export interface TicketSigner {
  readonly keyId: string
  /** Ed25519. */
  readonly privateKey: KeyObject
  /** Milliseconds since 1970, by control's clock. */
  readonly nowMs: number
}

export function signTicket(fields: TicketFields, signer: TicketSigner): string {
  const { keyId, privateKey, nowMs } = signer
  const longestMs =
    fields.purpose === 'nbd' ? MEDIUM_TICKET_LIFETIME_MAX_MS : TICKET_LIFETIME_MAX_MS
  const expiresAt = Math.min(fields.expiresAt, nowMs + longestMs)
  const ticket: Ticket = { v: 1, keyId, ...fields, issuedAt: nowMs, expiresAt }
  const body = Buffer.from(JSON.stringify(ticketSchema.parse(ticket))).toString('base64url')
  return `${body}.${sign(null, Buffer.from(body), privateKey).toString('base64url')}`
}

/**
 * Checks signature, form and dates. Purpose, host, pool and export are the caller's to compare.
 *
 * @param nowMs control's time: the node's own clock corrected by the skew of its session
 * @throws MaasError TICKET_INVALID, TICKET_EXPIRED
 */
export function verifyTicket(text: string, keys: readonly TicketKey[], nowMs: number): Ticket {
  if (text.length > TICKET_SIZE_MAX) throw invalid('too long')
  const [body = '', signature = '', ...rest] = text.split('.')
  if (rest.length > 0) throw invalid('more than two parts')
  // One key or two while they rotate, so trying each costs less than trusting a field unsigned.
  const bytes = Buffer.from(body)
  const signed = Buffer.from(signature, 'base64url')
  const signer = keys.find((key) => verify(null, bytes, loadKey(key), signed))
  if (signer === undefined) throw invalid('not signed by control')
  const ticket = parseBody(body)
  if (ticket.keyId !== signer.id) throw invalid('signed by another key than it says')
  if (ticket.issuedAt > nowMs + TICKET_SKEW_MAX_MS) {
    throw new MaasError('TICKET_EXPIRED', 'the ticket is not valid yet: the clocks differ', {
      issuedAt: ticket.issuedAt,
      nowMs,
    })
  }
  if (ticket.expiresAt < nowMs) {
    throw new MaasError('TICKET_EXPIRED', 'the ticket has expired', {
      expiresAt: ticket.expiresAt,
      nowMs,
    })
  }
  return ticket
}

function loadKey(key: TicketKey): KeyObject {
  return createPublicKey(key.publicKey)
}

function parseBody(body: string): Ticket {
  try {
    return ticketSchema.parse(JSON.parse(Buffer.from(body, 'base64url').toString('utf8')))
  } catch (cause) {
    throw new MaasError('TICKET_INVALID', 'the ticket is not in its form', {}, { cause })
  }
}

function invalid(reason: string): MaasError {
  return new MaasError('TICKET_INVALID', `the ticket is refused: ${reason}`)
}
