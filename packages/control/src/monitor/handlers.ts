/** What needs attention, and when pools are full: over the API. */
import { SILENCE_DAYS_MAX, type Alert } from '@openmaas/api/resources/alert'
import type { Clock } from '@openmaas/kernel/clock'
import { auditChange } from '../audit/audited.ts'
import { ownerOf } from '@openmaas/api/permissions'
import type { Catalog } from '../catalog/catalog.ts'
import { objectNotFound, requestInvalid } from '../http/handler.ts'
import type { HandlerRequest, Handlers, Language } from '../http/handler.ts'
import { labelsOf, objectOf, timeOf, timeOrNull } from '../http/columns.ts'
import { readPage, whereVisible } from '../http/list-query.ts'
import { appendAlertEvent } from './alerts/alert-repository.ts'
import type { AlertRow } from './alerts/alert-repository.ts'
import { endSilence, findSilence, mapSilences, saveSilence } from './alerts/silences.ts'
import type { Silence } from './alerts/silences.ts'
import { describeAlert } from './alerts/texts.ts'
import { loadForecasts } from './capacity/capacity.ts'
import type { PoolOutlook } from './capacity/capacity.ts'

export interface MonitorContext {
  readonly catalog: Catalog
  readonly clock: Clock
}

const DAY_MS = 86_400_000

export function makeMonitorHandlers(context: MonitorContext) {
  return {
    listAlerts: (request) => listAlerts(context, request),
    getAlert: async ({ params, language }) => {
      const row = await loadAlert(context.catalog.db, params.alertId)
      return { body: await showOne(context, row, language) }
    },
    acknowledgeAlert: (request) => acknowledge(context, request),
    silenceAlert: (request) => silenceAlert(context, request),
    unsilenceAlert: (request) => unsilenceAlert(context, request),
    getForecast: (request) => getForecast(context, request),
  } satisfies Handlers
}

export function showAlert(row: AlertRow, silence: Silence | undefined, language: Language): Alert {
  const { id, rule, severity, state, subject, acknowledgedBy } = row
  const params = objectOf(row.paramsJson)
  return {
    id,
    rule,
    severity,
    state,
    subject,
    params,
    silence:
      silence === undefined
        ? null
        : { until: timeOf(silence.until), by: silence.createdBy, reason: silence.reason },
    acknowledgedBy,
    labels: labelsOf(row.labelsJson),
    ...describeAlert(
      {
        rule,
        params,
      },
      language,
    ),
    openedAt: timeOf(row.openedAt),
    seenAt: timeOf(row.seenAt),
    resolvedAt: timeOrNull(row.resolvedAt),
    acknowledgedAt: timeOrNull(row.acknowledgedAt),
  }
}

async function showOne(context: MonitorContext, row: AlertRow, language: Language): Promise<Alert> {
  const { catalog, clock } = context
  return showAlert(row, await findSilence(catalog.db, row.key, clock.wallMs()), language)
}

async function loadAlert(db: Catalog['db'], id: string): Promise<AlertRow> {
  const row = await db.selectFrom('alert').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('alert', id)
  return row
}

async function listAlerts(context: MonitorContext, request: HandlerRequest<'listAlerts'>) {
  const { query, language } = request
  const { db } = context.catalog
  let rows = whereVisible(db.selectFrom('alert').selectAll(), 'alert', context.catalog, request)
  const state = query['filter[state]']
  const severity = query['filter[severity]']
  const rule = query['filter[rule]']
  const subject = query['filter[subject]']
  const acknowledged = query['filter[acknowledged]']
  if (state !== undefined) rows = rows.where('state', '=', state)
  if (severity !== undefined) rows = rows.where('severity', '=', severity)
  if (rule !== undefined) rows = rows.where('rule', '=', rule)
  if (subject !== undefined) rows = rows.where('subject', '=', subject)
  if (acknowledged !== undefined) {
    rows = rows.where('acknowledgedAt', acknowledged === 'true' ? 'is not' : 'is', null)
  }
  const now = context.clock.wallMs()
  const silenced = query['filter[silenced]']
  if (silenced !== undefined) {
    const silent = db.selectFrom('alertSilence').select('key').where('until', '>', now)
    rows = rows.where('key', silenced === 'true' ? 'in' : 'not in', silent)
  }
  const page = await readPage(rows, query, { table: 'alert' })
  const keys = page.rows.map(({ key }) => key)
  const silences = await mapSilences(db, keys, now)
  const items = page.rows.map((row) => showAlert(row, silences.get(row.key), language))
  return { body: { items, next: page.next } }
}

/** Again by somebody else: now that one looks after it. */
async function acknowledge(context: MonitorContext, request: HandlerRequest<'acknowledgeAlert'>) {
  const { params, body, principal, language } = request
  const { catalog, clock } = context
  const row = await catalog.transaction(async (trx) => {
    const before = await loadAlert(trx, params.alertId)
    const set = { acknowledgedBy: ownerOf(principal), acknowledgedAt: clock.wallMs() }
    const after = { ...before, ...set }
    await trx.updateTable('alert').set(set).where('id', '=', before.id).execute()
    await appendAlertEvent(trx, context, 'alert.acknowledged', after)
    await auditChange(trx, clock, request, {
      action: 'acknowledgeAlert',
      object: before.id,
      labels: labelsOf(before.labelsJson),
      before: { acknowledgedBy: before.acknowledgedBy },
      after: { acknowledgedBy: set.acknowledgedBy },
      ...(body.note !== undefined && { reason: body.note }),
    })
    return after
  })
  return { body: await showOne(context, row, language) }
}

const SILENCE_MAX_MS = SILENCE_DAYS_MAX * DAY_MS

async function silenceAlert(context: MonitorContext, request: HandlerRequest<'silenceAlert'>) {
  const { params, body, principal, language } = request
  const { catalog, clock } = context
  const now = clock.wallMs()
  const until = Date.parse(body.until)
  if (until <= now || until > now + SILENCE_MAX_MS) {
    throw requestInvalid('/body/until', `within the next ${SILENCE_DAYS_MAX} days`)
  }
  const { reason } = body
  const row = await catalog.transaction(async (trx) => {
    const alert = await loadAlert(trx, params.alertId)
    const createdBy = ownerOf(principal)
    await saveSilence(trx, { key: alert.key, until, reason, createdBy, createdAt: now })
    await appendAlertEvent(trx, context, 'alert.silenced', alert)
    await auditChange(trx, clock, request, {
      action: 'silenceAlert',
      object: alert.id,
      labels: labelsOf(alert.labelsJson),
      after: { until: timeOf(until) },
      reason,
    })
    return alert
  })
  return { body: await showOne(context, row, language) }
}

/** Again: nothing changes. */
async function unsilenceAlert(context: MonitorContext, request: HandlerRequest<'unsilenceAlert'>) {
  const { catalog, clock } = context
  const row = await catalog.transaction(async (trx) => {
    const alert = await loadAlert(trx, request.params.alertId)
    if (await endSilence(trx, alert.key, clock.wallMs())) {
      await appendAlertEvent(trx, context, 'alert.unsilenced', alert)
    }
    await auditChange(trx, clock, request, {
      action: 'unsilenceAlert',
      object: alert.id,
      labels: labelsOf(alert.labelsJson),
    })
    return alert
  })
  return { body: await showOne(context, row, request.language) }
}

async function getForecast(context: MonitorContext, request: HandlerRequest<'getForecast'>) {
  const { catalog, clock } = context
  const { principal } = request
  const rows = whereVisible(catalog.db.selectFrom('pool').select('id'), 'pool', catalog, {
    principal,
  })
  const visible = new Set((await rows.execute()).map(({ id }) => id))
  const now = clock.wallMs()
  const outlooks = await loadForecasts(catalog.db, now)
  const shown = [...outlooks].filter(([id]) => visible.has(id))
  return { body: { pools: shown.map(([id, outlook]) => showOutlook(id, outlook, now)) } }
}

function showOutlook(poolId: string, outlook: PoolOutlook, now: number) {
  const { state, usedBytes, sizeBytes, daysToFull, daysToFullRange } = outlook
  const { growthBytesPerDay, errorBytesPerDay, days } = outlook
  return {
    poolId,
    state,
    usedBytes,
    sizeBytes,
    daysToFull,
    daysToFullRange,
    growthBytesPerDay: Math.round(growthBytesPerDay),
    errorBytesPerDay: errorBytesPerDay === null ? null : Math.round(errorBytesPerDay),
    fullAt: daysToFull === null ? null : timeOf(Math.round(now + daysToFull * DAY_MS)),
    samples: days.map((day) => {
      return {
        at: timeOf(Math.round(day.at)),
        usedBytes: Math.round(day.usedBytes),
      }
    }),
  }
}
