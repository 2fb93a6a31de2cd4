/**
 * Consent to dangerous verbs: the name of the object typed again, a reason, and, when `fourEyes`
 * is on, an approval of somebody else. An approval is bound to requester, action, object and the
 * exact parameters; it expires, and is used once, in the transaction of the change:
 *
 *   const consent = await consentTo(context, request, {…})   // before; throws APPROVAL_REQUIRED
 *   await catalog.transaction(async (trx) => {
 *     await consent.use(trx)
 *     …the change, and its audit row with consent.reason
 *   })
 */
import { createHash } from 'node:crypto'
import type { Kysely, Selectable } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import { ownerOf } from '@openmaas/api/permissions'
import type { Principal } from '@openmaas/api/permissions'
import type { Approval } from '@openmaas/api/resources/approval'
import { MaasError } from '@openmaas/kernel/errors'
import { appendAudit } from '../audit/audit-log.ts'
import { appendEvent } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { AuthContext, Caller } from './auth-context.ts'

export type ApprovalRow = Selectable<CatalogTables['approval']>
type Db = Kysely<CatalogTables>
export type ConsentContext = Pick<AuthContext, 'catalog' | 'clock' | 'random' | 'settings'>

/** Somebody looks at it within a day, or it was not important. */
const APPROVAL_LIFE_MS = 24 * 3_600_000
/** Waiting ones of one person: more are a script that has gone wild. */
const WAITING_COUNT_MAX = 100
const REASON_LENGTH_MIN = 3

/** What the body of a dangerous route says (`danger` of packages/api). */
export interface Danger {
  readonly confirm: string
  readonly reason: string
  readonly approvalId?: string | undefined
}

export interface ApprovalRequest {
  readonly principal: Principal
  /** Name of the route. */
  readonly action: string
  /** Id of the object. */
  readonly object: string
  /** All that decides what would happen, beside the object. */
  readonly params: Readonly<Record<string, unknown>>
  readonly reason: string
}

export interface DangerousRequest extends Omit<ApprovalRequest, 'reason'> {
  /** What the caller had to type. */
  readonly name: string
  readonly danger: Danger
  readonly caller: Caller
}

export interface Consent {
  /** For the audit row of the change. */
  readonly reason: string
  /** @throws MaasError APPROVAL_NOT_USABLE: somebody used it meanwhile */
  use(trx: Db): Promise<void>
}

/**
 * @param options.always whether four eyes are switched on or not
 * @throws MaasError CONSENT_MISSING, APPROVAL_REQUIRED, APPROVAL_NOT_FOUND, APPROVAL_NOT_USABLE
 */
export async function requireConsent(
  context: ConsentContext,
  request: DangerousRequest,
  options: { readonly always?: boolean } = {},
): Promise<Consent> {
  const { name, danger, principal } = request
  const { confirm, reason, approvalId } = danger
  if (confirm !== name || reason.trim().length < REASON_LENGTH_MIN) {
    const details = { name, pointer: confirm === name ? '/reason' : '/confirm' }
    throw new MaasError('CONSENT_MISSING', 'the typed name or the reason is missing', details)
  }
  const { fourEyes } = await context.settings.load()
  // The server's own work was consented to when its policy was written.
  const isAsked = fourEyes || options.always === true
  if (!isAsked || principal.actor === 'system') return { reason, use: () => Promise.resolve() }
  if (approvalId === undefined) return askFirst(context, request)
  const expected = { ...request, reason }
  checkUsable(await loadApproval(context.catalog.db, approvalId), expected, context.clock.wallMs())
  return {
    reason,
    use: async (trx) => {
      const row = await loadApproval(trx, approvalId)
      checkUsable(row, expected, context.clock.wallMs())
      const used = { state: 'used' } as const
      await trx.updateTable('approval').set(used).where('id', '=', approvalId).execute()
    },
  }
}

/**
 * For the handler of a dangerous route: who asks and what they typed come from the request.
 *
 * @param object.name what the caller had to type
 * @param object.params all that decides what would happen, beside the object
 * @throws MaasError as `requireConsent`
 */
export function consentTo(
  context: ConsentContext,
  request: Caller & { readonly principal: Principal; readonly body: Danger },
  object: {
    readonly action: string
    readonly id: string
    readonly name: string
    readonly params?: Readonly<Record<string, unknown>>
  },
): Promise<Consent> {
  const { principal, body, address, requestId } = request
  const { action, id, name, params = {} } = object
  const caller = { address, requestId }
  return requireConsent(context, {
    principal,
    action,
    object: id,
    params,
    name,
    danger: body,
    caller,
  })
}

async function askFirst(context: ConsentContext, request: DangerousRequest): Promise<never> {
  const row = await context.catalog.transaction((trx) =>
    insertApproval(trx, context, { ...request, reason: request.danger.reason }, request.caller),
  )
  const details = { approvalId: row.id, expiresAt: new Date(row.expiresAt).toISOString() }
  throw new MaasError('APPROVAL_REQUIRED', 'somebody else must consent to it', details)
}

/** The same text for the same parameters, however they were ordered. */
export function paramsText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map((one) => paramsText(one)).join(',')}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${paramsText(member)}`)
  return `{${members.join(',')}}`
}

function hashOf(request: ApprovalRequest): string {
  const { action, object, params } = request
  const text = paramsText([ownerOf(request.principal), action, object, params])
  return createHash('sha256').update(text).digest('hex')
}

interface StoredParams {
  readonly hash: string
  readonly params: Record<string, unknown>
}

function parseParams(row: ApprovalRow): StoredParams {
  return JSON.parse(row.paramsJson) as StoredParams
}

function checkUsable(row: ApprovalRow, request: ApprovalRequest, now: number): void {
  const state = stateOf(row, now)
  const same = parseParams(row).hash === hashOf(request)
  if (state === 'approved' && same) return
  const details = { approvalId: row.id, state, same }
  const message = same ? `the approval is ${state}` : 'the approval is for something else'
  throw new MaasError('APPROVAL_NOT_USABLE', message, details)
}

/**
 * A second request for the same thing finds the first.
 *
 * @throws MaasError APPROVAL_NOT_USABLE: too many are waiting
 */
export async function insertApproval(
  trx: Db,
  context: ConsentContext,
  request: ApprovalRequest,
  caller: Caller,
): Promise<ApprovalRow> {
  const { clock, random } = context
  const { principal, action, object, params, reason } = request
  const now = clock.wallMs()
  const hash = hashOf(request)
  const mine = await trx
    .selectFrom('approval')
    .selectAll()
    .where('requestedBy', '=', ownerOf(principal))
    .where('state', 'in', ['waiting', 'approved'])
    .where('expiresAt', '>', now)
    .execute()
  const same = mine.find((row) => parseParams(row).hash === hash)
  if (same !== undefined) return same
  if (mine.length >= WAITING_COUNT_MAX) {
    const details = { countMax: WAITING_COUNT_MAX }
    throw new MaasError('APPROVAL_NOT_USABLE', 'too many approvals are waiting', details)
  }
  const row: ApprovalRow = {
    id: makeControlId('approval', clock, random),
    action,
    object,
    paramsJson: JSON.stringify({ hash, params }),
    reason,
    state: 'waiting',
    requestedBy: ownerOf(principal),
    requestedAt: now,
    decidedBy: null,
    decidedAt: null,
    expiresAt: now + APPROVAL_LIFE_MS,
  }
  await trx.insertInto('approval').values(row).execute()
  await note(trx, context, row, { principal, caller, type: 'approval.requested' })
  return row
}

/** @throws MaasError APPROVAL_NOT_FOUND, APPROVAL_NOT_USABLE, APPROVAL_OWN */
export async function decideApproval(
  trx: Db,
  context: ConsentContext,
  decision: {
    readonly id: string
    readonly approved: boolean
    readonly principal: Principal
    readonly caller: Caller
    readonly comment?: string | undefined
  },
): Promise<ApprovalRow> {
  const { id, approved, principal, caller } = decision
  const now = context.clock.wallMs()
  const row = await loadApproval(trx, id)
  const state = stateOf(row, now)
  const by = ownerOf(principal)
  if (row.requestedBy === by) {
    throw new MaasError('APPROVAL_OWN', 'nobody decides about what they asked for', {
      approvalId: id,
    })
  }
  if (state !== 'waiting') {
    const details = { approvalId: id, state }
    throw new MaasError('APPROVAL_NOT_USABLE', `the approval is ${state}`, details)
  }
  const change = {
    state: approved ? 'approved' : 'refused',
    decidedBy: by,
    decidedAt: now,
  } as const
  await trx.updateTable('approval').set(change).where('id', '=', id).execute()
  const type = `approval.${change.state}`
  await note(trx, context, row, { principal, caller, type, reason: decision.comment })
  return { ...row, ...change }
}

async function note(
  trx: Db,
  context: ConsentContext,
  row: ApprovalRow,
  noted: {
    readonly principal: Principal
    readonly caller: Caller
    readonly type: string
    readonly reason?: string | undefined
  },
): Promise<void> {
  const { clock } = context
  const { action, object, requestedBy } = row
  const data = { action, object, requestedBy }
  const entry = {
    actor: noted.principal.actor,
    ...noted.caller,
    action: noted.type,
    object: row.id,
    outcome: 'ok',
    after: { ...data, params: parseParams(row).params },
    reason: noted.reason ?? row.reason,
  } as const
  await appendAudit(trx, entry, clock)
  const event = { topic: 'audit', type: noted.type, subject: row.id, labels: {}, data } as const
  await appendEvent(trx, event, clock)
}

/** @throws MaasError APPROVAL_NOT_FOUND */
export async function loadApproval(db: Db, id: string): Promise<ApprovalRow> {
  const row = await db.selectFrom('approval').selectAll().where('id', '=', id).executeTakeFirst()
  if (row !== undefined) return row
  throw approvalNotFound(id)
}

export const approvalNotFound = (approvalId: string): MaasError =>
  new MaasError('APPROVAL_NOT_FOUND', 'no such approval', { approvalId })

function stateOf(row: ApprovalRow, now: number): ApprovalRow['state'] {
  const open = row.state === 'waiting' || row.state === 'approved'
  return open && now >= row.expiresAt ? 'expired' : row.state
}

/** So that lists by state are true. */
export async function expireApprovals(context: ConsentContext): Promise<void> {
  await context.catalog.db
    .updateTable('approval')
    .set({ state: 'expired' })
    .where('state', 'in', ['waiting', 'approved'])
    .where('expiresAt', '<=', context.clock.wallMs())
    .execute()
}

export function showApproval(row: ApprovalRow, now: number): Approval {
  return {
    id: row.id,
    action: row.action,
    object: row.object,
    params: parseParams(row).params,
    reason: row.reason,
    state: stateOf(row, now),
    requestedBy: row.requestedBy,
    requestedAt: new Date(row.requestedAt).toISOString(),
    decidedBy: row.decidedBy,
    decidedAt: row.decidedAt === null ? null : new Date(row.decidedAt).toISOString(),
    expiresAt: new Date(row.expiresAt).toISOString(),
  }
}
