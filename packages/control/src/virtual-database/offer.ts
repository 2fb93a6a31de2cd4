/** What of a source is offered to whom: data consumers get what its owner has opened to them. */
import { hasLimitedPlug, ownerOf, type Principal } from '@openmaas/api/permissions'
import { type ErrorCode, MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { type Consent, requireConsent } from '../auth/consent.ts'
import { parseRoles } from '../auth/user-repository.ts'
import { findSourceDatabase } from '../database/source-database.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import { requestInvalid } from '../http/handler.ts'

/** As of media: a lease of more than a month is nobody's test. */
const LIMITED_LIFETIME_MAX_SECONDS = 31 * 86_400

export interface OfferRequest {
  readonly principal: Principal
  readonly address: string
  readonly requestId: string
  readonly body: {
    readonly name: string
    readonly reason?: string | undefined
    readonly approvalId?: string | undefined
    readonly [field: string]: unknown
  }
}

/** @throws MaasError REQUEST_INVALID */
export function checkLifetime(principal: Principal, lifetimeSeconds: number | null): void {
  if (!hasLimitedPlug(principal)) return
  if (lifetimeSeconds !== null && lifetimeSeconds <= LIMITED_LIFETIME_MAX_SECONDS) return
  throw requestInvalid('/lifetimeSeconds', 'your role keeps virtual databases for 31 days at most')
}

/**
 * A clone without a quota could fill the pool, and so could one with a quota of any size: nobody
 * writes more to a copy than the volume that it is a copy of has room for.
 *
 * @throws MaasError REQUEST_INVALID
 */
export async function checkQuota(
  db: Db,
  principal: Principal,
  of: { readonly sourceId: string; readonly quotaBytes: number | null },
): Promise<void> {
  if (!hasLimitedPlug(principal)) return
  if (of.quotaBytes === null) throw requestInvalid('/quotaBytes', 'your role needs a quota')
  const most = (await findSourceDatabase(db, of.sourceId))?.volumeBytes ?? null
  if (most === null || of.quotaBytes <= most) return
  const message = `your role has ${formatBytes(most)} at most: the size of the volume of the source`
  throw requestInvalid('/quotaBytes', message)
}

/**
 * Another moment of production, or another copy: for that the source has to be offered still. The
 * consent that a copy was made with holds for its refreshes.
 *
 * @throws MaasError DATABASE_NOT_OFFERED
 */
export async function requireStillOffered(
  db: Db,
  principal: Principal,
  sourceId: string,
): Promise<void> {
  if (!hasLimitedPlug(principal)) return
  const row = await findSourceDatabase(db, sourceId)
  if ((row?.selfService ?? 'off') === 'off') throw notOffered(sourceId)
}

/** Of a copy that one who may do only that made, whatever was offered then. */
export async function isWithdrawn(
  db: Db,
  row: { readonly sourceId: string; readonly createdBy: string },
): Promise<boolean> {
  const userId = /^user:(.+)$/.exec(row.createdBy)?.[1]
  if (userId === undefined) return false
  const user = await db
    .selectFrom('user')
    .select('rolesJson')
    .where('id', '=', userId)
    .executeTakeFirst()
  if (user === undefined) return false
  const owner = { actor: row.createdBy, userId, roles: parseRoles(user.rolesJson), scope: null }
  if (!hasLimitedPlug(owner)) return false
  const source = await findSourceDatabase(db, row.sourceId)
  return (source?.selfService ?? 'off') === 'off'
}

export const NOT_OFFERED_CODE: ErrorCode = 'DATABASE_NOT_OFFERED'

function notOffered(sourceId: string): MaasError {
  const message = 'the source is not offered for self-service'
  return new MaasError(NOT_OFFERED_CODE, message, { sourceId })
}

/**
 * @returns the consent to use in the transaction of the change
 * @throws MaasError DATABASE_NOT_OFFERED, APPROVAL_REQUIRED, APPROVAL_NOT_USABLE
 */
export async function requireOffer(
  context: HandlerContext,
  request: OfferRequest,
  sourceId: string,
): Promise<Pick<Consent, 'use'>> {
  const { principal, body, address, requestId } = request
  if (!hasLimitedPlug(principal)) return { use: () => Promise.resolve() }
  const row = await findSourceDatabase(context.catalog.db, sourceId)
  const offered = row?.selfService ?? 'off'
  if (offered === 'off') throw notOffered(sourceId)
  if (offered === 'on') return { use: () => Promise.resolve() }
  const { reason = `self-service of ${ownerOf(principal)}`, approvalId, ...params } = body
  return requireConsent(
    context,
    {
      principal,
      action: 'createVirtualDatabase',
      object: sourceId,
      params,
      name: body.name,
      danger: { confirm: body.name, reason, approvalId },
      caller: { address, requestId },
    },
    { always: true },
  )
}
