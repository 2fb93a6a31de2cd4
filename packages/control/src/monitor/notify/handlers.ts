/** Channels, rules, and what became of the messages: as the API has them. */
import { makeControlId } from '@openmaas/api/ids'
import type { NotifyMatch } from '@openmaas/api/resources/notification'
import type { Clock } from '@openmaas/kernel/clock'
import { isMaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'
import { auditChange } from '../../audit/audited.ts'
import type { ServerKey } from '../../auth/server-key.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import { loadPage } from '../../catalog/page.ts'
import { requestInvalid, requireVersion } from '../../http/handler.ts'
import type { Handlers } from '../../http/handler.ts'
import {
  channelKindOf,
  channelsOf,
  loadChannel,
  loadRule,
  sealConfig,
  showChannel,
  showRule,
  tryConfig,
} from './channel-repository.ts'
import type { ChannelRow } from './channel-repository.ts'
import { checkConfig, kindOf } from './kinds.ts'
import { isTimezone } from './match.ts'
import { makeTestMessage } from './message.ts'
import { wordsOf } from './notifier.ts'
import type { Notifier } from './notifier.ts'

export interface NotifyContext {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
  readonly serverKey: ServerKey
  readonly notifier: Notifier
}

export function notifyHandlers(context: NotifyContext): Handlers {
  return {
    ...channelHandlers(context),
    ...changeChannelHandlers(context),
    ...ruleHandlers(context),
    ...changeRuleHandlers(context),
  }
}

function channelHandlers(context: NotifyContext): Handlers {
  const { catalog, clock, random, serverKey, notifier } = context
  return {
    listChannels: async ({ query }) => {
      const { sort, limit, cursor, 'filter[name]': name, 'filter[kind]': kind } = query
      let channels = catalog.db.selectFrom('channel').selectAll()
      if (name !== undefined) channels = channels.where('name', '=', name)
      if (kind !== undefined) channels = channels.where('kind', '=', kind)
      const column = sort.replace(/^-/, '') as 'name' | 'createdAt'
      const descending = sort.startsWith('-')
      const request = { table: 'channel', sort: column, descending, limit, cursor } as const
      const { rows, next } = await loadPage(channels, request)
      return { body: { items: rows.map((row) => showChannel(row, serverKey)), next } }
    },
    getChannel: async ({ params }) => {
      const row = await loadChannel(catalog.db, params.channelId)
      return { body: showChannel(row, serverKey), etag: row.version }
    },
    createChannel: async (request) => {
      const { name, kind, enabled } = request.body
      const id = makeControlId('channel', clock, random)
      const configSealed = sealConfig(id, checkConfig(kind, request.body.config), serverKey)
      const createdAt = clock.wallMs()
      const row = { id, name, kind, configSealed, enabled: enabled ? 1 : 0, createdAt, version: 1 }
      const body = showChannel(row, serverKey)
      await catalog.transaction(async (trx) => {
        await trx.insertInto('channel').values(row).execute()
        await auditChange(trx, clock, request, { action: 'createChannel', object: id, after: body })
      })
      return { body, etag: 1, location: `/api/v1/notification-channels/${id}` }
    },
    testChannel: async (request) => {
      const row = await loadChannel(catalog.db, request.params.channelId)
      const id = makeControlId('notification', clock, random)
      const message = makeTestMessage({ id, at: clock.wallMs(), language: request.language })
      try {
        await notifier.send(row, message)
        return { body: { delivered: true, status: null, error: null } }
      } catch (error) {
        if (!isMaasError(error, 'NOTIFY_FAILED') && !isMaasError(error, 'NOTIFY_REFUSED'))
          throw error
        const { status } = error.details
        const code = typeof status === 'number' ? status : null
        return { body: { delivered: false, status: code, error: wordsOf(error) } }
      }
    },
  }
}

function changeChannelHandlers(context: NotifyContext): Handlers {
  const { catalog, clock, serverKey } = context
  return {
    changeChannel: async (request) => {
      const { channelId } = request.params
      const { name, config, enabled } = request.body
      const row = await catalog.transaction(async (trx) => {
        const before = await loadChannel(trx, channelId)
        requireVersion(before, request)
        const after = {
          ...before,
          ...(name === undefined ? {} : { name }),
          ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }),
          ...(config === undefined ? {} : { configSealed: reseal(context, before, config) }),
          version: before.version + 1,
        }
        await trx.updateTable('channel').set(after).where('id', '=', channelId).execute()
        await auditChange(trx, clock, request, {
          action: 'changeChannel',
          object: channelId,
          before: showChannel(before, serverKey),
          after: showChannel(after, serverKey),
        })
        return after
      })
      return { body: showChannel(row, serverKey), etag: row.version }
    },
    deleteChannel: async (request) => {
      const { channelId } = request.params
      await catalog.transaction(async (trx) => {
        const before = showChannel(await loadChannel(trx, channelId), serverKey)
        const rules = await trx.selectFrom('notifyRule').selectAll().execute()
        const used = rules.find((rule) => channelsOf(rule).includes(channelId))
        if (used !== undefined) {
          throw requestInvalid('/params/channelId', `the rule ${used.name} sends to this channel`)
        }
        await trx.deleteFrom('notification').where('channelId', '=', channelId).execute()
        await trx.deleteFrom('channel').where('id', '=', channelId).execute()
        const change = { action: 'deleteChannel', object: channelId, before }
        await auditChange(trx, clock, request, change)
      })
      return { body: null }
    },
  }
}

/** Secrets that are not given stay as they are: nobody can give back what they cannot see. */
function reseal(
  context: NotifyContext,
  before: ChannelRow,
  config: Readonly<Record<string, unknown>>,
): string {
  const { serverKey } = context
  const kind = channelKindOf(before)
  const known = tryConfig(before, serverKey)
  const kept = kindOf(kind).secrets.filter((name) => name in known && !(name in config))
  const secrets = Object.fromEntries(kept.map((name) => [name, known[name]]))
  return sealConfig(before.id, checkConfig(kind, { ...secrets, ...config }), serverKey)
}

function ruleHandlers(context: NotifyContext): Handlers {
  const { catalog } = context
  return {
    listNotificationRules: async ({ query }) => {
      const { sort, limit, cursor, 'filter[name]': name, 'filter[enabled]': enabled } = query
      let rules = catalog.db.selectFrom('notifyRule').selectAll()
      if (name !== undefined) rules = rules.where('name', '=', name)
      if (enabled !== undefined) rules = rules.where('enabled', '=', enabled ? 1 : 0)
      const descending = sort.startsWith('-')
      const request = { table: 'notifyRule', sort: 'name', descending, limit, cursor } as const
      const { rows, next } = await loadPage(rules, request)
      return { body: { items: rows.map((row) => showRule(row)), next } }
    },
    getNotificationRule: async ({ params }) => {
      const row = await loadRule(catalog.db, params.ruleId)
      return { body: showRule(row), etag: row.version }
    },
    listNotifications: async ({ query }) => {
      const { sort, limit, cursor, 'filter[alertId]': alertId, 'filter[state]': state } = query
      let notifications = catalog.db.selectFrom('notification').selectAll()
      if (alertId !== undefined) notifications = notifications.where('alertId', '=', alertId)
      if (state !== undefined) notifications = notifications.where('state', '=', state)
      const descending = sort.startsWith('-')
      const request = { table: 'notification', sort: 'nextAt', descending, limit, cursor } as const
      const { rows, next } = await loadPage(notifications, request)
      const items = rows.map((row) => {
        const nextAt = row.state === 'waiting' ? new Date(row.nextAt).toISOString() : null
        return { ...row, nextAt }
      })
      return { body: { items, next } }
    },
  }
}

function changeRuleHandlers(context: NotifyContext): Handlers {
  const { catalog, clock, random } = context
  return {
    createNotificationRule: async (request) => {
      const { name, match, channels, enabled } = request.body
      const row = {
        id: makeControlId('notifyRule', clock, random),
        name,
        matchJson: JSON.stringify(match),
        channelsJson: JSON.stringify(channels),
        enabled: enabled ? 1 : 0,
        version: 1,
      }
      await catalog.transaction(async (trx) => {
        await checkRule(trx, match, channels)
        await trx.insertInto('notifyRule').values(row).execute()
        const change = { action: 'createNotificationRule', object: row.id, after: showRule(row) }
        await auditChange(trx, clock, request, change)
      })
      const location = `/api/v1/notification-rules/${row.id}`
      return { body: showRule(row), etag: row.version, location }
    },
    changeNotificationRule: async (request) => {
      const { ruleId } = request.params
      const { name, match, channels, enabled } = request.body
      const row = await catalog.transaction(async (trx) => {
        const before = await loadRule(trx, ruleId)
        requireVersion(before, request)
        await checkRule(trx, match, channels)
        const after = {
          ...before,
          ...(name === undefined ? {} : { name }),
          ...(match === undefined ? {} : { matchJson: JSON.stringify(match) }),
          ...(channels === undefined ? {} : { channelsJson: JSON.stringify(channels) }),
          ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }),
          version: before.version + 1,
        }
        await trx.updateTable('notifyRule').set(after).where('id', '=', ruleId).execute()
        await auditChange(trx, clock, request, {
          action: 'changeNotificationRule',
          object: ruleId,
          before: showRule(before),
          after: showRule(after),
        })
        return after
      })
      return { body: showRule(row), etag: row.version }
    },
    deleteNotificationRule: async (request) => {
      const { ruleId } = request.params
      await catalog.transaction(async (trx) => {
        const before = showRule(await loadRule(trx, ruleId))
        await trx.deleteFrom('notifyRule').where('id', '=', ruleId).execute()
        const change = { action: 'deleteNotificationRule', object: ruleId, before }
        await auditChange(trx, clock, request, change)
      })
      return { body: null }
    },
  }
}

/** @throws MaasError REQUEST_INVALID: a channel that is none, a time zone that is none */
async function checkRule(
  trx: Parameters<typeof loadChannel>[0],
  match: NotifyMatch | undefined,
  channels: readonly string[] | undefined,
): Promise<void> {
  if (match?.window !== undefined && !isTimezone(match.window.timezone)) {
    throw requestInvalid('/match/window/timezone', 'no such time zone')
  }
  if (channels === undefined) return
  const rows = await trx.selectFrom('channel').select('id').where('id', 'in', channels).execute()
  const known = new Set(rows.map((row) => row.id))
  const index = channels.findIndex((id) => !known.has(id))
  if (index >= 0) throw requestInvalid(`/channels/${index}`, 'no such channel')
}
