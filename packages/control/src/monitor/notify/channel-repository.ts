/** Channels and rules in the catalog. What a channel sends to is sealed as a whole. */
import { z } from 'zod'
import type { Kysely, Selectable } from 'kysely'
import { CHANNEL_KINDS, notifyMatch } from '@openmaas/api/resources/notification'
import type { NotifyMatch, channel, notifyRule } from '@openmaas/api/resources/notification'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { ServerKey } from '../../auth/server-key.ts'
import type { CatalogTables } from '../../catalog/schema.ts'
import { kindOf } from './kinds.ts'
import type { ChannelKindName } from './kinds.ts'

type Db = Kysely<CatalogTables>
export type ChannelRow = Selectable<CatalogTables['channel']>
export type RuleRow = Selectable<CatalogTables['notifyRule']>

const kindName = z.enum(CHANNEL_KINDS)
const configText = z.record(z.string(), z.unknown())
const idList = z.array(z.string())

export function channelKindOf(row: ChannelRow): ChannelKindName {
  return kindName.parse(row.kind)
}

/** @throws MaasError CHANNEL_NOT_FOUND */
export async function loadChannel(db: Db, id: string): Promise<ChannelRow> {
  const row = await db.selectFrom('channel').selectAll().where('id', '=', id).executeTakeFirst()
  if (row !== undefined) return row
  throw new MaasError('CHANNEL_NOT_FOUND', 'no such channel', { channelId: id })
}

/** @throws MaasError CHANNEL_NOT_FOUND */
export async function loadRule(db: Db, id: string): Promise<RuleRow> {
  const row = await db.selectFrom('notifyRule').selectAll().where('id', '=', id).executeTakeFirst()
  if (row !== undefined) return row
  throw new MaasError('CHANNEL_NOT_FOUND', 'no such rule of notification', { ruleId: id })
}

/** @throws MaasError SEALED_INVALID: it was sealed by another server key */
export function openConfig(row: ChannelRow, key: ServerKey): Record<string, unknown> {
  return configText.parse(JSON.parse(key.open('channel', row.id, row.configSealed)))
}

export function sealConfig(id: string, config: unknown, key: ServerKey): string {
  return key.seal('channel', id, JSON.stringify(config))
}

export function tryConfig(row: ChannelRow, key: ServerKey): Record<string, unknown> {
  try {
    return openConfig(row, key)
  } catch (error) {
    if (isMaasError(error, 'SEALED_INVALID')) return {}
    throw error
  }
}

/** Without what is secret; one whose config does not open any more can still be mended. */
export function showChannel(row: ChannelRow, key: ServerKey): z.infer<typeof channel> {
  const kind = channelKindOf(row)
  const secrets = new Set(kindOf(kind).secrets)
  const members = Object.entries(tryConfig(row, key)).filter(([name]) => !secrets.has(name))
  return {
    id: row.id,
    name: row.name,
    kind,
    config: Object.fromEntries(members),
    enabled: row.enabled === 1,
    createdAt: new Date(row.createdAt).toISOString(),
    version: row.version,
  }
}

export function matchOf(row: RuleRow): NotifyMatch {
  return notifyMatch.parse(JSON.parse(row.matchJson))
}

export function channelsOf(row: RuleRow): string[] {
  return idList.parse(JSON.parse(row.channelsJson))
}

export function showRule(row: RuleRow): z.infer<typeof notifyRule> {
  const { id, name, version } = row
  const enabled = row.enabled === 1
  return { id, name, match: matchOf(row), channels: channelsOf(row), enabled, version }
}
