/** Webhooks: making, changing, trying them, and what came of their deliveries. */
import { makeControlId } from '@openmaas/api/ids'
import { MaasError } from '@openmaas/kernel/errors'
import type { ServerKey } from '../auth/server-key.ts'
import { type HandlerRequest, type Handlers, requireVersion } from '../http/handler.ts'
import { type Post, postMessage } from './post.ts'
import { makeWebhookSecret } from './signature.ts'
import {
  loadDelivery,
  loadWebhook,
  showDelivery,
  showWebhook,
  type WebhookRow,
} from './webhook-repository.ts'
import { auditChange } from '../audit/audited.ts'
import { timeOf } from '../http/columns.ts'
import type { Db, HandlerContext, Trx } from '../http/handler-context.ts'
import { readPage } from '../http/list-query.ts'
import { requireNameFree } from '../http/names.ts'

export interface WebhookContext extends Pick<HandlerContext, 'catalog' | 'clock' | 'random'> {
  readonly serverKey: ServerKey
  readonly post: Post
}

/** Each costs a query a second, and its receiver's time. */
const WEBHOOK_COUNT_MAX = 100

export function makeWebhookHandlers(context: WebhookContext) {
  const { db } = context.catalog
  return {
    listWebhooks: async ({ query }) => {
      let rows = db.selectFrom('webhook').selectAll()
      const name = query['filter[name]']
      const enabled = query['filter[enabled]']
      if (name !== undefined) rows = rows.where('name', '=', name)
      if (enabled !== undefined) rows = rows.where('enabled', '=', enabled === 'true' ? 1 : 0)
      const page = await readPage(rows, query, { table: 'webhook' })
      return { body: { items: page.rows.map((row) => showWebhook(row)), next: page.next } }
    },
    createWebhook: (request) => createWebhook(context, request),
    getWebhook: async ({ params }) => {
      const row = await loadWebhook(db, params.webhookId)
      return { body: showWebhook(row), etag: row.version }
    },
    changeWebhook: (request) => changeWebhook(context, request),
    deleteWebhook: (request) => deleteWebhook(context, request),
    testWebhook: (request) => testWebhook(context, request),
    listDeliveries: async ({ params, query }) => {
      await loadWebhook(db, params.webhookId)
      let rows = db.selectFrom('delivery').selectAll().where('webhookId', '=', params.webhookId)
      const state = query['filter[state]']
      if (state !== undefined) rows = rows.where('state', '=', state)
      const page = await readPage(rows, query, { table: 'delivery' })
      return { body: { items: page.rows.map((row) => showDelivery(row)), next: page.next } }
    },
    redeliver: (request) => redeliver(context, request),
  } satisfies Handlers
}

async function createWebhook(context: WebhookContext, request: HandlerRequest<'createWebhook'>) {
  const { catalog, clock, random, serverKey } = context
  const { body } = request
  const id = makeControlId('webhook', clock, random)
  const secret = body.secret ?? makeWebhookSecret(random)
  const row = await catalog.transaction(async (trx) => {
    await requireNameFree(trx, 'webhook', body.name)
    const { count } = await trx
      .selectFrom('webhook')
      .select((e) => e.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    if (count >= WEBHOOK_COUNT_MAX) {
      throw new MaasError('WEBHOOKS_TOO_MANY', `there are ${count} webhooks already`, { count })
    }
    const made: WebhookRow = {
      id,
      name: body.name,
      url: body.url,
      secretSealed: serverKey.seal('webhook', id, secret),
      topicsJson: JSON.stringify(body.topics),
      enabled: body.enabled ? 1 : 0,
      lastSeq: await findNewestSeq(trx),
      createdAt: clock.wallMs(),
      version: 1,
    }
    await trx.insertInto('webhook').values(made).execute()
    const after = showWebhook(made)
    await auditChange(trx, clock, request, { action: 'createWebhook', object: id, after })
    return made
  })
  const shown = { webhook: showWebhook(row), secret }
  return { status: 201, body: shown, etag: 1, location: `/api/v1/webhooks/${id}` }
}

/** A webhook that is made or switched on hears what happens from now on. */
async function findNewestSeq(db: Db): Promise<number> {
  const newest = await db
    .selectFrom('event')
    .select((e) => e.fn.max('seq').as('seq'))
    .executeTakeFirst()
  return newest?.seq ?? 0
}

function changeWebhook(context: WebhookContext, request: HandlerRequest<'changeWebhook'>) {
  const { catalog, clock, serverKey } = context
  const { params, body } = request
  return catalog.transaction(async (trx) => {
    const row = await loadWebhook(trx, params.webhookId)
    requireVersion(row, request)
    if (body.name !== undefined && body.name !== row.name)
      await requireNameFree(trx, 'webhook', body.name)
    const next: WebhookRow = {
      ...row,
      name: body.name ?? row.name,
      url: body.url ?? row.url,
      ...(body.topics !== undefined && { topicsJson: JSON.stringify(body.topics) }),
      ...(body.enabled !== undefined && { enabled: body.enabled ? 1 : 0 }),
      ...(body.secret !== undefined && {
        secretSealed: serverKey.seal('webhook', row.id, body.secret),
      }),
      ...(row.enabled === 0 && body.enabled === true && { lastSeq: await findNewestSeq(trx) }),
      version: row.version + 1,
    }
    await trx.updateTable('webhook').set(next).where('id', '=', row.id).execute()
    const [before, after] = [showWebhook(row), showWebhook(next)]
    const change = { action: 'changeWebhook', object: row.id, before, after }
    await auditChange(trx, clock, request, change)
    return { body: after, etag: next.version }
  })
}

async function deleteWebhook(context: WebhookContext, request: HandlerRequest<'deleteWebhook'>) {
  const { catalog, clock } = context
  await catalog.transaction(async (trx) => {
    const row = await loadWebhook(trx, request.params.webhookId)
    await trx.deleteFrom('delivery').where('webhookId', '=', row.id).execute()
    await trx.deleteFrom('webhook').where('id', '=', row.id).execute()
    const change = { action: 'deleteWebhook', object: row.id, before: showWebhook(row) }
    await auditChange(trx, clock, request, change)
  })
  return { status: 204, body: null }
}

async function testWebhook(context: WebhookContext, request: HandlerRequest<'testWebhook'>) {
  const { catalog, clock, random, serverKey, post } = context
  const row = await loadWebhook(catalog.db, request.params.webhookId)
  const nowMs = clock.wallMs()
  const id = makeControlId('delivery', clock, random)
  const event = {
    specversion: '1.0' as const,
    id,
    source: 'urn:openmaas:test',
    type: 'openmaas.test',
    subject: row.id,
    time: timeOf(nowMs),
    datacontenttype: 'application/json' as const,
    data: { text: 'a test of this webhook', actor: request.principal.actor },
  }
  const secret = serverKey.open('webhook', row.id, row.secretSealed)
  const { signal } = request
  const { delivered, status, error } = await postMessage(post, {
    url: row.url,
    secret,
    message: {
      id,
      event,
    },
    nowMs,
    signal,
  })
  return { body: { delivered, status, error } }
}

async function redeliver(context: WebhookContext, request: HandlerRequest<'redeliver'>) {
  const { catalog, clock } = context
  const { webhookId, deliveryId } = request.params
  const row = await catalog.transaction(async (trx: Trx) => {
    const delivery = await loadDelivery(trx, webhookId, deliveryId)
    const again = { state: 'waiting', attempts: 0, nextAt: clock.wallMs(), endedAt: null } as const
    await trx.updateTable('delivery').set(again).where('id', '=', delivery.id).execute()
    await auditChange(trx, clock, request, { action: 'redeliver', object: delivery.id })
    return { ...delivery, ...again }
  })
  return { status: 202, body: showDelivery(row) }
}
