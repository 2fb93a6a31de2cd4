/** The verbs of a virtual database: each becomes a job, and a state that says so until it ends. */
import { makeControlId } from '@openmaas/api/ids'
import { ownerOf } from '@openmaas/api/permissions'
import type { BodyOf } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { type Consent, consentTo } from '../auth/consent.ts'
import { findWay, type Moment } from '../database/moment.ts'
import { listDatabasePoints } from '../database/points.ts'
import { labelsOf } from '../http/columns.ts'
import { requireInScope } from '../http/gate.ts'
import { recordChange, type Trx } from '../http/handler-context.ts'
import { requireName } from '../http/names.ts'
import { acceptedJob, type HandlerRequest, type Handlers, planned } from '../http/handler.ts'
import { virtualDatabaseRequest } from '../job/kinds/virtual-database-params.ts'
import { loadSource } from '../sources/list.ts'
import { describeConnection, describeWithoutUser } from './connection.ts'
import { insertRow, momentOf, targetFor } from './handlers.ts'
import { checkLifetime, checkQuota, requireStillOffered } from './offer.ts'
import { type LifeContext, makeLifeVerbs } from './life-verbs.ts'
import { requestPoint } from './point-first.ts'
import { queueVerb } from './queue-verb.ts'
import { requireClone, requireOwnLife, requireReplaceable, requireState } from './requirements.ts'
import { makeRecoverProduction, type RecoverContext } from './recover-production.ts'
import {
  accountsOf,
  listenOf,
  loadBookmark,
  loadVirtualDatabase,
  showVirtualDatabase,
  targetOf,
  type VirtualDatabaseRow,
} from './rows.ts'

/** What opens secrets does so for what its owner may see, and for production itself. */
export type VerbContext = LifeContext & RecoverContext

export function makeVirtualDatabaseVerbs(context: VerbContext) {
  return {
    ...makeLifeVerbs(context),
    ...makeRecoverProduction(context),
    refreshVirtualDatabase: (request) => refresh(context, request),
    resetVirtualDatabase: (request) => reset(context, request),
    startVirtualDatabase: (request) => start(context, request),
    stopVirtualDatabase: (request) => stop(context, request),
    branchVirtualDatabase: (request) => branch(context, request),
    dropVirtualDatabase: (request) => drop(context, request),
    revealConnection: (request) => reveal(context, request),
    createBookmark: (request) => createBookmark(context, request),
    deleteBookmark: (request) => deleteBookmark(context, request),
  } satisfies Handlers
}

const REFRESHABLE: readonly VirtualDatabaseRow['state'][] = ['running', 'stopped', 'lost']

async function refresh(context: VerbContext, request: HandlerRequest<'refreshVirtualDatabase'>) {
  const { params, body, dryRun } = request
  const moment = momentOf(body, context.clock.wallMs())
  if (dryRun) {
    const { db } = context.catalog
    const row = await loadVirtualDatabase(db, params.virtualDatabaseId)
    requireState(row, REFRESHABLE)
    requireReplaceable(row)
    if (moment.kind !== 'newest') requireOwnLife(row)
    findWay(await listDatabasePoints(db, row.sourceId), moment)
    return planned('show another moment of production', row, lossOf(row))
  }
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    requireState(row, REFRESHABLE)
    requireReplaceable(row)
    if (moment.kind !== 'newest') requireOwnLife(row)
    await requireStillOffered(trx, request.principal, row.sourceId)
    const source = await loadSource(trx, row.sourceId)
    const actor = ownerOf(request.principal)
    const dependsOn = await requestPoint(trx, context, {
      source,
      moment,
      actor,
      forId: row.id,
      always: row.liveSync === 1,
    })
    const jobId = await queueVerb(trx, context, request, {
      row,
      action: 'refreshVirtualDatabase',
      kind: 'refresh-virtual-database',
      from: REFRESHABLE,
      to: 'refreshing',
      params: {
        of: { moment },
        target: targetFor(moment),
        bookmarkId: null,
        wasRunning: row.state === 'running',
      },
      dependsOn,
    })
    return acceptedJob(jobId)
  })
}

/** What a new clone in its place does not have. */
function lossOf({ writtenBytes, liveSync, ...row }: VirtualDatabaseRow): string[] {
  if (liveSync === 1) return []
  const since = new Date(row.lastRefreshAt ?? row.readyAt ?? row.createdAt).toISOString()
  const size = writtenBytes === null ? '' : `: ${formatBytes(writtenBytes)}`
  return [`What was written to it since ${since} is lost${size}.`]
}

/** Of a bookmark, or of how it was made or refreshed. */
async function resetOf(trx: Trx, row: VirtualDatabaseRow, bookmarkId: string | null) {
  const target = targetOf(row)
  if (bookmarkId !== null) {
    await loadBookmark(trx, { virtualDatabaseId: row.id, bookmarkId })
    // What it was made of stays: another reset goes back to that.
    return { of: { bookmarkId }, target, bookmarkId: row.bookmarkId }
  }
  if (row.bookmarkId !== null) {
    return { of: { bookmarkId: row.bookmarkId }, target, bookmarkId: row.bookmarkId }
  }
  const moment: Moment =
    target.kind === 'time'
      ? { kind: 'time', atMs: Date.parse(target.at) }
      : target.kind === 'transaction' || target.kind === 'position'
        ? target
        : { kind: 'point', pointId: row.pointId ?? '' }
  // Said now, not by a job that fails: what it was made of may have expired.
  findWay(await listDatabasePoints(trx, row.sourceId), moment)
  return { of: { moment }, target, bookmarkId: null }
}

function reset(context: VerbContext, request: HandlerRequest<'resetVirtualDatabase'>) {
  const { params, body, dryRun } = request
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    requireState(row, REFRESHABLE)
    requireReplaceable(row)
    requireOwnLife(row)
    const back = await resetOf(trx, row, body.bookmarkId)
    if (dryRun) return planned('go back to how it was', row, lossOf(row))
    const jobId = await queueVerb(trx, context, request, {
      row,
      action: 'resetVirtualDatabase',
      kind: 'refresh-virtual-database',
      from: REFRESHABLE,
      to: 'resetting',
      params: {
        ...back,
        wasRunning: row.state === 'running',
      },
    })
    return acceptedJob(jobId)
  })
}

function start(context: VerbContext, request: HandlerRequest<'startVirtualDatabase'>) {
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, request.params.virtualDatabaseId)
    const verb = { action: 'startVirtualDatabase', kind: 'start-virtual-database' }
    const states = { from: ['stopped', 'lost'], to: 'starting' } as const
    const asked = { ...verb, ...states, row, params: { wasLost: row.state === 'lost' } }
    return acceptedJob(await queueVerb(trx, context, request, asked))
  })
}

function stop(context: VerbContext, request: HandlerRequest<'stopVirtualDatabase'>) {
  const { immediate } = request.body
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, request.params.virtualDatabaseId)
    const verb = { action: 'stopVirtualDatabase', kind: 'stop-virtual-database' }
    const states = { from: ['running'], to: 'stopping', params: { immediate } } as const
    return acceptedJob(await queueVerb(trx, context, request, { ...verb, ...states, row }))
  })
}

async function branch(context: VerbContext, request: HandlerRequest<'branchVirtualDatabase'>) {
  const { params, body, principal } = request
  checkLifetime(principal, body.lifetimeSeconds)
  const actor = ownerOf(principal)
  return context.catalog.transaction(async (trx) => {
    const parent = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    requireState(parent, ['running', 'stopped'])
    requireClone(parent)
    requireOwnLife(parent)
    const { sourceId } = parent
    await requireStillOffered(trx, principal, sourceId)
    await checkQuota(trx, principal, { sourceId, quotaBytes: body.quotaBytes })
    const source = await loadSource(trx, sourceId)
    const labels = { ...labelsOf(parent.labelsJson), ...body.labels }
    requireInScope(principal, labels)
    let { bookmarkId } = body
    const dependsOn: string[] = []
    if (bookmarkId === null) {
      const name = `branch ${body.name}`
      bookmarkId = await insertBookmark(trx, context, { row: parent, name, actor })
      const wanted = { actor, params: { bookmarkId } }
      dependsOn.push(
        await context.jobs.enqueue(trx, virtualDatabaseRequest('make-bookmark', parent, wanted)),
      )
    } else await loadBookmark(trx, { virtualDatabaseId: parent.id, bookmarkId })
    const { parentId, pointId, dataAt, position } = { ...parent, parentId: parent.id }
    const targetJson = JSON.stringify({ kind: 'bookmark', bookmarkId })
    const row = await insertRow(trx, context, {
      principal,
      source,
      wish: { ...body, labels, hostId: body.hostId ?? parent.hostId },
      moment: { kind: 'newest' },
      more: { parentId, pointId, bookmarkId, targetJson, dataAt, position },
    })
    const wanted = { actor, params: { of: { bookmarkId } }, dependsOn }
    const request_ = virtualDatabaseRequest('make-virtual-database', row, wanted)
    const jobId = await context.jobs.enqueue(trx, request_)
    await recordChange(trx, context, request, {
      action: 'branchVirtualDatabase',
      topic: 'virtual-databases',
      type: 'virtual-database.creating',
      id: row.id,
      name: row.name,
      labels,
      after: showVirtualDatabase(row),
    })
    return acceptedJob(jobId, { virtualDatabaseId: row.id })
  })
}

type DropBody = BodyOf<'dropVirtualDatabase'>

/** What else is gone with it than a clone; one that is being promoted may have switched by then. */
const needsConsent = (row: VirtualDatabaseRow, { keepData }: DropBody): boolean =>
  row.mode === 'production' || ((row.directory !== null || row.state === 'promoting') && !keepData)

function dropText({ directory }: VirtualDatabaseRow, { keepData }: DropBody): string {
  if (directory === null) return 'drop it with its bookmarks; nothing of it stays'
  return keepData
    ? `drop it; its data stays at ${directory} of its host, where nothing runs on it`
    : `drop it and remove ${directory} of its host with everything in it`
}

/** @throws MaasError CONSENT_MISSING, APPROVAL_REQUIRED */
async function consentToDrop(
  context: VerbContext,
  request: HandlerRequest<'dropVirtualDatabase'>,
): Promise<Consent | null> {
  const { params, body } = request
  const row = await loadVirtualDatabase(context.catalog.db, params.virtualDatabaseId)
  if (!needsConsent(row, body)) return null
  const { confirm = '', reason = '', approvalId, ...rest } = body
  const danger = { confirm, reason, approvalId }
  const { id, name } = row
  const what = { action: 'dropVirtualDatabase', id, name, params: rest }
  return consentTo(context, { ...request, body: danger }, what)
}

async function drop(context: VerbContext, request: HandlerRequest<'dropVirtualDatabase'>) {
  const { params, body, dryRun } = request
  if (dryRun) {
    const row = await loadVirtualDatabase(context.catalog.db, params.virtualDatabaseId)
    const warnings = row.kept === 1 ? ['It is marked to be kept.'] : []
    return planned(dropText(row, body), row, warnings)
  }
  const consent = await consentToDrop(context, request)
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    if (row.kept === 1) {
      const details = { virtualDatabaseId: row.id }
      throw new MaasError('VIRTUAL_DATABASE_KEPT', 'it is marked to be kept', details)
    }
    if (row.state === 'dropped') requireState(row, [])
    if (needsConsent(row, body) && consent === null) requireState(row, [])
    await consent?.use(trx)
    // Somebody who changed their mind need not wait for what is under way to end.
    await trx
      .updateTable('job')
      .set({ cancelRequestedAt: context.clock.wallMs() })
      .where('virtualDatabaseId', '=', row.id)
      .where('kind', '!=', 'drop-virtual-database')
      .where('endedAt', 'is', null)
      .where('cancelRequestedAt', 'is', null)
      .execute()
    const jobId = await queueVerb(trx, context, request, {
      row,
      action: 'dropVirtualDatabase',
      kind: 'drop-virtual-database',
      from: [row.state],
      to: 'dropping',
      params: { force: body.force, keepData: body.keepData },
      reason: body.reason,
    })
    return acceptedJob(jobId)
  })
}

/** The password is shown, and who saw it is written down. */
async function reveal(context: VerbContext, request: HandlerRequest<'revealConnection'>) {
  const { params } = request
  const row = await loadVirtualDatabase(context.catalog.db, params.virtualDatabaseId)
  const { port, engine, userName: user } = row
  if (port === null || row.endedAt !== null) {
    const details = { virtualDatabaseId: row.id, state: row.state }
    throw new MaasError('VIRTUAL_DATABASE_BUSY', 'it has no port yet', details)
  }
  const accounts = accountsOf(row)
  const isOwn = accounts === 'own'
  const password = isOwn ? await context.openSecret(row.secretId) : ''
  await context.catalog.transaction((trx) =>
    recordChange(trx, context, request, {
      action: 'revealConnection',
      topic: 'virtual-databases',
      type: 'virtual-database.revealed',
      id: row.id,
      name: row.name,
      labels: labelsOf(row.labelsJson),
    }),
  )
  const isLocal = listenOf(row).every((each) => each.startsWith('127.') || each === '::1')
  const host = isLocal ? '127.0.0.1' : (row.address ?? row.hostId)
  const { databases } = showVirtualDatabase(row)
  const facts = { engine, host, port, user, password, databases }
  const described = isOwn ? describeConnection(facts) : describeWithoutUser(facts)
  return { body: { ...described, accounts, readOnly: row.liveSync === 1 } }
}

/** Reset goes to a bookmark by its name. @throws MaasError NAME_TAKEN, REQUEST_INVALID */
async function requireFreeBookmark(trx: Trx, row: VirtualDatabaseRow, name: string): Promise<void> {
  requireName(name)
  const known = await trx
    .selectFrom('bookmark')
    .select('id')
    .where('virtualDatabaseId', '=', row.id)
    .where('name', '=', name)
    .where('state', '!=', 'failed')
    .executeTakeFirst()
  if (known === undefined) return
  const details = { pointer: '/name', name }
  throw new MaasError('NAME_TAKEN', `${row.name} has a bookmark ${name} already`, details)
}

async function insertBookmark(
  trx: Trx,
  { clock, random }: VerbContext,
  of: { readonly row: VirtualDatabaseRow; readonly name: string; readonly actor: string },
): Promise<string> {
  const id = makeControlId('bookmark', clock, random)
  const { row, name, actor } = of
  await trx
    .insertInto('bookmark')
    .values({
      id,
      name,
      virtualDatabaseId: row.id,
      state: 'creating',
      poolId: row.poolId,
      snapshotId: null,
      takenAt: null,
      sizeBytes: null,
      addedBytes: null,
      createdBy: actor,
      createdAt: clock.wallMs(),
      problemJson: null,
    })
    .execute()
  return id
}

function createBookmark(context: VerbContext, request: HandlerRequest<'createBookmark'>) {
  const { params, body, principal } = request
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    requireState(row, ['running', 'stopped'])
    requireClone(row)
    requireOwnLife(row)
    await requireFreeBookmark(trx, row, body.name)
    const actor = ownerOf(principal)
    const bookmarkId = await insertBookmark(trx, context, { row, name: body.name, actor })
    const jobId = await queueVerb(trx, context, request, {
      row,
      action: 'createBookmark',
      kind: 'make-bookmark',
      from: ['running', 'stopped'],
      to: null,
      params: { bookmarkId },
    })
    return acceptedJob(jobId, { bookmarkId })
  })
}

function deleteBookmark(context: VerbContext, request: HandlerRequest<'deleteBookmark'>) {
  const { params } = request
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    const { id: bookmarkId, state } = await loadBookmark(trx, params)
    if (state === 'creating') requireState(row, [])
    const deleting = { state: 'deleting' } as const
    await trx.updateTable('bookmark').set(deleting).where('id', '=', bookmarkId).execute()
    const jobId = await queueVerb(trx, context, request, {
      row,
      action: 'deleteBookmark',
      kind: 'delete-bookmark',
      from: [row.state],
      to: null,
      params: { bookmarkId },
    })
    return acceptedJob(jobId)
  })
}
