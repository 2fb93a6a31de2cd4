/**
 * Each kind of document: how its rows are read as documents, and how a document becomes a row.
 * Documents name each other; what a name stands for is looked up in the same transaction.
 */
import type { Selectable } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import type { Permission } from '@openmaas/api/permissions'
import { document } from '@openmaas/api/resources/document'
import type { Document } from '@openmaas/api/resources/document'
import { sourceOptions } from '@openmaas/api/resources/source'
import { MaasError } from '@openmaas/kernel/errors'
import type { ServerKey } from '../auth/server-key.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { labelsOf, objectOf } from '../http/columns.ts'
import type { Db, HandlerContext, Trx } from '../http/handler-context.ts'
import { requireName } from '../http/names.ts'
import { makeWebhookSecret } from '../webhook/signature.ts'
import { parsePolicy } from '../policy/resolve.ts'

export interface DocumentContext extends HandlerContext {
  readonly serverKey: ServerKey
}

export type KindName = Document['kind']
type DocumentOf<K extends KindName> = Extract<Document, { kind: K }>

export interface Present<K extends KindName> {
  readonly id: string
  readonly document: DocumentOf<K>
  /** Of the object; empty for kinds without. */
  readonly labels: Readonly<Record<string, string>>
}

export interface DocumentKind<K extends KindName> {
  /** Needed to apply it. */
  readonly permission: Permission
  readonly topic: 'policies' | 'sources' | 'hosts' | 'alerts'
  readonly list: (db: Db) => Promise<Present<K>[]>
  /** @returns its id. @throws MaasError DOCUMENT_REFERENCE, DOCUMENT_UNUSABLE */
  readonly save: (trx: Trx, wanted: DocumentOf<K>, id: string | undefined) => Promise<string>
}

const HEAD = { apiVersion: 'openmaas/v1' } as const

/** @throws MaasError DOCUMENT_REFERENCE */
async function idOfName(
  trx: Trx,
  table: 'host' | 'policy' | 'pool' | 'channel',
  name: string,
): Promise<string> {
  const row = await trx.selectFrom(table).select('id').where('name', '=', name).executeTakeFirst()
  if (row !== undefined) return row.id
  throw new MaasError('DOCUMENT_REFERENCE', `there is no ${table} called ${name}`, { table, name })
}

async function namesOf(
  db: Db,
  table: 'host' | 'policy' | 'pool' | 'channel',
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.selectFrom(table).select(['id', 'name']).execute()
  return new Map(rows.map(({ id, name }) => [id, name]))
}

export type DocumentKinds = { readonly [K in KindName]: DocumentKind<K> }

export function makeDocumentKinds(context: DocumentContext): DocumentKinds {
  return {
    Policy: policyKind(context),
    Source: sourceKind(context),
    Host: hostKind(),
    Webhook: webhookKind(context),
    NotificationChannel: channelKind(context),
    NotificationRule: ruleKind(context),
  }
}

function policyKind({ clock, random }: DocumentContext): DocumentKind<'Policy'> {
  return {
    permission: 'policy.write',
    topic: 'policies',
    list: async (db) => {
      const rows = await db.selectFrom('policy').selectAll().execute()
      return rows.map((row) => {
        const { id, name, selector, priority, enabled, spec: promise } = parsePolicy(row)
        const spec = { selector, priority, enabled, promise }
        const shown = { ...HEAD, kind: 'Policy', metadata: { name }, spec }
        return { id, document: document.parse(shown) as DocumentOf<'Policy'>, labels: {} }
      })
    },
    save: async (trx, { metadata, spec }, id) => {
      const values = {
        selectorJson: spec.selector === null ? null : JSON.stringify(spec.selector),
        priority: spec.priority,
        specJson: JSON.stringify(spec.promise),
        enabled: spec.enabled ? 1 : 0,
      }
      if (id === undefined) {
        requireName(metadata.name)
        const made = makeControlId('policy', clock, random)
        const head = { id: made, name: metadata.name, createdAt: clock.wallMs(), version: 1 }
        await trx
          .insertInto('policy')
          .values({ ...head, ...values })
          .execute()
        return made
      }
      await trx
        .updateTable('policy')
        .set((e) => ({ ...values, version: e('version', '+', 1) }))
        .where('id', '=', id)
        .execute()
      return id
    },
  }
}

type SourceRow = Selectable<CatalogTables['source']>
const isCaptured = (row: SourceRow): row is SourceRow & { kind: 'files' | 'disk' } =>
  row.kind === 'files' || row.kind === 'disk'

function sourceKind({ clock, random }: DocumentContext): DocumentKind<'Source'> {
  return {
    permission: 'source.write',
    topic: 'sources',
    list: async (db) => {
      // A database needs a password, which no document holds: it is made with its own request.
      const all = await db.selectFrom('source').selectAll().execute()
      const rows = all.filter(isCaptured)
      const hosts = await namesOf(db, 'host')
      const policies = await namesOf(db, 'policy')
      const pools = await namesOf(db, 'pool')
      return rows.map((row) => {
        const labels = labelsOf(row.labelsJson)
        const spec = {
          host: hosts.get(row.hostId) ?? row.hostId,
          kind: row.kind,
          path: row.path,
          options: sourceOptions.parse(objectOf(row.optionsJson)),
          policy: row.policyId === null ? null : (policies.get(row.policyId) ?? null),
          pool: row.poolId === null ? null : (pools.get(row.poolId) ?? null),
          paused: row.paused === 1,
        }
        const metadata = { name: row.name, labels }
        const shown = { ...HEAD, kind: 'Source' as const, metadata, spec }
        return { id: row.id, document: shown, labels }
      })
    },
    save: async (trx, { metadata, spec }, id) => {
      const values = {
        hostId: await idOfName(trx, 'host', spec.host),
        kind: spec.kind,
        path: spec.path,
        optionsJson: JSON.stringify(spec.options),
        labelsJson: JSON.stringify(metadata.labels ?? {}),
        policyId: spec.policy === null ? null : await idOfName(trx, 'policy', spec.policy),
        poolId: spec.pool === null ? null : await idOfName(trx, 'pool', spec.pool),
        paused: spec.paused ? 1 : 0,
      }
      if (id === undefined) {
        requireName(metadata.name)
        const made = makeControlId('source', clock, random)
        const row: Selectable<CatalogTables['source']> = {
          id: made,
          name: metadata.name,
          ...values,
          lastSuccessAt: null,
          lastPointId: null,
          createdAt: clock.wallMs(),
          version: 1,
        }
        await trx.insertInto('source').values(row).execute()
        return made
      }
      await trx
        .updateTable('source')
        .set((e) => ({ ...values, version: e('version', '+', 1) }))
        .where('id', '=', id)
        .execute()
      return id
    },
  }
}

/** Hosts join by themselves: a document labels and drains one that is there. */
function hostKind(): DocumentKind<'Host'> {
  return {
    permission: 'host.write',
    topic: 'hosts',
    list: async (db) => {
      const rows = await db.selectFrom('host').selectAll().where('state', '!=', 'removed').execute()
      return rows.map((row) => {
        const labels = labelsOf(row.labelsJson)
        const metadata = { name: row.name, labels }
        const spec = { drained: row.drained === 1 }
        return { id: row.id, document: { ...HEAD, kind: 'Host', metadata, spec }, labels }
      })
    },
    save: async (trx, { metadata, spec }, id) => {
      if (id === undefined) {
        const details = { table: 'host', name: metadata.name }
        throw new MaasError('DOCUMENT_REFERENCE', `no host ${metadata.name} has joined`, details)
      }
      const labelsJson = JSON.stringify(metadata.labels ?? {})
      await trx
        .updateTable('host')
        .set((e) => ({ labelsJson, drained: spec.drained ? 1 : 0, version: e('version', '+', 1) }))
        .where('id', '=', id)
        .execute()
      return id
    },
  }
}

function webhookKind(context: DocumentContext): DocumentKind<'Webhook'> {
  const { clock, random, serverKey } = context
  return {
    permission: 'webhook.write',
    topic: 'alerts',
    list: async (db) => {
      const rows = await db.selectFrom('webhook').selectAll().execute()
      return rows.map((row) => {
        const topics: unknown = JSON.parse(row.topicsJson)
        const spec = { url: row.url, topics, enabled: row.enabled === 1 }
        const shown = { ...HEAD, kind: 'Webhook', metadata: { name: row.name }, spec }
        return { id: row.id, document: document.parse(shown) as DocumentOf<'Webhook'>, labels: {} }
      })
    },
    save: async (trx, { metadata, spec }, id) => {
      const values = {
        url: spec.url,
        topicsJson: JSON.stringify(spec.topics),
        enabled: spec.enabled ? 1 : 0,
      }
      if (id === undefined) {
        const made = makeControlId('webhook', clock, random)
        const newest = await trx
          .selectFrom('event')
          .select((e) => e.fn.max('seq').as('seq'))
          .executeTakeFirst()
        const row: Selectable<CatalogTables['webhook']> = {
          id: made,
          name: metadata.name,
          ...values,
          secretSealed: serverKey.seal('webhook', made, makeWebhookSecret(random)),
          lastSeq: newest?.seq ?? 0,
          createdAt: clock.wallMs(),
          version: 1,
        }
        await trx.insertInto('webhook').values(row).execute()
        return made
      }
      await trx
        .updateTable('webhook')
        .set((e) => ({ ...values, version: e('version', '+', 1) }))
        .where('id', '=', id)
        .execute()
      return id
    },
  }
}

/** Configurations hold secrets: an export leaves them out, and an empty one changes nothing. */
function channelKind(context: DocumentContext): DocumentKind<'NotificationChannel'> {
  const { clock, random, serverKey } = context
  return {
    permission: 'notification.write',
    topic: 'alerts',
    list: async (db) => {
      const rows = await db.selectFrom('channel').selectAll().execute()
      return rows.map((row) => {
        const spec = { kind: row.kind, config: {}, enabled: row.enabled === 1 }
        const metadata = { name: row.name }
        const shown = document.parse({ ...HEAD, kind: 'NotificationChannel', metadata, spec })
        const same = shown as DocumentOf<'NotificationChannel'>
        return { id: row.id, document: same, labels: {} }
      })
    },
    save: async (trx, { metadata, spec }, id) => {
      const isEmpty = Object.keys(spec.config).length === 0
      const sealed = (of: string): string =>
        serverKey.seal('channel', of, JSON.stringify(spec.config))
      const enabled = spec.enabled ? 1 : 0
      if (id === undefined) {
        if (isEmpty) {
          const { name } = metadata
          const message = `the new channel ${name} needs its configuration`
          throw new MaasError('DOCUMENT_UNUSABLE', message, { name })
        }
        const made = makeControlId('channel', clock, random)
        await trx
          .insertInto('channel')
          .values({
            id: made,
            name: metadata.name,
            kind: spec.kind,
            enabled,
            configSealed: sealed(made),
            createdAt: clock.wallMs(),
            version: 1,
          })
          .execute()
        return made
      }
      await trx
        .updateTable('channel')
        .set((e) => ({
          enabled,
          kind: spec.kind,
          ...(!isEmpty && { configSealed: sealed(id) }),
          version: e('version', '+', 1),
        }))
        .where('id', '=', id)
        .execute()
      return id
    },
  }
}

function ruleKind({ clock, random }: DocumentContext): DocumentKind<'NotificationRule'> {
  return {
    permission: 'notification.write',
    topic: 'alerts',
    list: async (db) => {
      const rows = await db.selectFrom('notifyRule').selectAll().execute()
      const channels = await namesOf(db, 'channel')
      return rows.map((row) => {
        const ids = JSON.parse(row.channelsJson) as string[]
        const match: unknown = JSON.parse(row.matchJson)
        const names = ids.map((id) => channels.get(id) ?? id)
        const spec = { match, channels: names, enabled: row.enabled === 1 }
        const shown = { ...HEAD, kind: 'NotificationRule', metadata: { name: row.name }, spec }
        const same = document.parse(shown) as DocumentOf<'NotificationRule'>
        return { id: row.id, document: same, labels: {} }
      })
    },
    save: async (trx, { metadata, spec }, id) => {
      const ids: string[] = []
      for (const name of spec.channels) ids.push(await idOfName(trx, 'channel', name))
      const values = {
        matchJson: JSON.stringify(spec.match),
        channelsJson: JSON.stringify(ids),
        enabled: spec.enabled ? 1 : 0,
      }
      if (id === undefined) {
        const made = makeControlId('notifyRule', clock, random)
        await trx
          .insertInto('notifyRule')
          .values({ id: made, name: metadata.name, ...values, version: 1 })
          .execute()
        return made
      }
      await trx
        .updateTable('notifyRule')
        .set((e) => ({ ...values, version: e('version', '+', 1) }))
        .where('id', '=', id)
        .execute()
      return id
    },
  }
}
