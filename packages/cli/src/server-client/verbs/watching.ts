/** Verbs of alerts, the audit log, webhooks, and what happens. */
import { streamEvents } from '@openmaas/api/client-streams'
import { EVENT_TOPICS } from '@openmaas/api/resources/event'
import type { EventTopic } from '@openmaas/api/resources/event'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { printable } from '../../format/width.ts'
import { parseDuration } from '../../format/time.ts'
import { listOf, loadObject, showList, showOf } from '../lists.ts'
import { findId, timeOf } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { formatOf, showRow } from '../show.ts'

const EXIT_DAMAGED = 10
/** Long enough for a repair, short enough to be remembered. */
const SILENCE_DEFAULT = '4h'

export const listAlerts = onServer(listOf('alert'))
export const showAlert = onServer(showOf('alert'))

export const acknowledge = onServer(async (server, input, site) => {
  const note = input.text('note')
  const params = { alertId: input.positionals[0] }
  const body = { ...(note !== undefined && { note }) }
  const { body: alert } = await server.request('acknowledgeAlert', { params, body })
  showRow(alert, { site, input })
})

export const silence = onServer(async (server, input, site) => {
  const ttl = input.text('ttl') ?? SILENCE_DEFAULT
  const lastsMs = parseDuration(ttl)
  const reason = input.text('reason')
  if (lastsMs === undefined || reason === undefined) {
    const message = 'silence wants --reason, and --ttl as a time such as 4h'
    throw new MaasError('USAGE', message, { option: lastsMs === undefined ? 'ttl' : 'reason' })
  }
  const until = new Date(site.clock.wallMs() + lastsMs).toISOString()
  const params = { alertId: input.positionals[0] }
  const { body } = await server.request('silenceAlert', { params, body: { until, reason } })
  showRow(body, { site, input })
})

export const unsilence = onServer(async (server, input, site) => {
  const params = { alertId: input.positionals[0] }
  const { body } = await server.request('unsilenceAlert', { params })
  showRow(body, { site, input })
})

// ── audit ──────────────────────────────────────────────────────────────────

export const listAudit = onServer(listOf('audit'))

export const verifyAudit = onServer(async (server, input, site) => {
  const { body } = await server.request('verifyAudit')
  showRow(body, { site, input, idField: 'headHash' })
  return body['intact'] === true ? 0 : EXIT_DAMAGED
})

export const exportAudit = onServer(async (server, input, site) => {
  const format = input.choice('format', ['json', 'csv', 'syslog']) ?? 'json'
  const times = ['from', 'until'].filter((name) => input.has(name))
  const query = {
    format,
    ...Object.fromEntries(times.map((name) => [name, timeOf(input.text(name)!, server, name)])),
  }
  const { signal } = site
  const response = await server.client.open('exportAudit', { query, signal } as never)
  site.out.flush()
  for await (const chunk of response.body ?? []) site.out.options.write(chunk)
})

// ── webhooks ───────────────────────────────────────────────────────────────

export const listWebhooks = onServer(listOf('webhook'))
export const showWebhook = onServer(showOf('webhook'))

function topicsOf(server: Server): Row {
  const topics = server.input.list('topic')
  return topics.length === 0 ? {} : { topics }
}

export const addWebhook = onServer(async (server, input, site) => {
  const [name, url] = input.positionals
  const { body: created } = await server.request('createWebhook', {
    body: { name, url, ...topicsOf(server) },
  })
  if (formatOf(input, site) !== 'table') {
    showRow(created, { site, input })
    return
  }
  site.out.line(textOf(created['secret']))
  site.out.note(site.text('secret.once'))
})

export const changeWebhook = onServer(async (server, input, site) => {
  const { etag, id } = await loadObject(server, 'webhook', input.positionals[0]!)
  const url = input.text('url')
  const body = {
    ...topicsOf(server),
    ...(url !== undefined && { url }),
    ...(input.has('enable') && { enabled: true }),
    ...(input.has('disable') && { enabled: false }),
  }
  const params = { webhookId: id }
  const { body: webhook } = await server.request('changeWebhook', { params, body, ifMatch: etag })
  showRow(webhook, { site, input })
})

export const removeWebhook = onServer(async (server, input) => {
  const webhookId = await findId(server, 'webhook', input.positionals[0]!)
  await server.request('deleteWebhook', { params: { webhookId } })
})

export const testWebhook = onServer(async (server, input, site) => {
  const webhookId = await findId(server, 'webhook', input.positionals[0]!)
  const { body } = await server.request('testWebhook', { params: { webhookId } })
  showRow(body, { site, input })
})

export const deliveries = onServer(async (server, input) => {
  const webhookId = await findId(server, 'webhook', input.positionals[0]!)
  await showList(server, 'delivery', { webhookId })
})

export const redeliver = onServer(async (server, input, site) => {
  const webhookId = await findId(server, 'webhook', input.positionals[0]!)
  const params = { webhookId, deliveryId: input.positionals[1] }
  const { body } = await server.request('redeliver', { params })
  showRow(body, { site, input })
})

// ── events ─────────────────────────────────────────────────────────────────

function topicList(server: Server): EventTopic[] {
  return server.input.list('topic').map((topic) => {
    const found = EVENT_TOPICS.find((each) => each === topic)
    if (found !== undefined) return found
    const message = `--topic wants ${EVENT_TOPICS.join(', ')}, not "${topic}"`
    throw new MaasError('USAGE', message, { option: 'topic' })
  })
}

/** Until Ctrl-C; goes on by itself when the connection breaks. */
export const events = onServer(async (server, input, site) => {
  const { out, text, signal } = site
  const topics = topicList(server)
  const after = input.integer('after', { min: 0, max: Number.MAX_SAFE_INTEGER })
  const options = {
    signal,
    ...(topics.length > 0 && { topics }),
    ...(after !== undefined && { after }),
  }
  for await (const item of streamEvents(server.client, options)) {
    if (item.kind === 'lost') {
      out.note(text('events.lost'))
      continue
    }
    if (item.kind === 'reset') {
      out.note(text('events.reset'))
      continue
    }
    const { event } = item
    if (formatOf(input, site) !== 'table') out.value(event)
    else {
      const cells = [event.at, event.type, event.subject, JSON.stringify(event.data)]
      out.line(cells.map((cell) => printable(cell)).join(out.isTerminal ? '  ' : '\t'))
    }
    out.flush()
  }
  if (signal.aborted && isMaasError(signal.reason)) throw signal.reason
})
