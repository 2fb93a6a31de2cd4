/**
 * `apply` and `export`: the whole configuration as documents. An apply is one transaction: all of
 * it holds afterwards, or nothing has changed. It creates and changes, and never deletes.
 */
import { may } from '@openmaas/api/permissions'
import type { Principal } from '@openmaas/api/permissions'
import type { ApplyResult, Document } from '@openmaas/api/resources/document'
import { MaasError } from '@openmaas/kernel/errors'
import { consentTo } from '../auth/consent.ts'
import { requireInScope } from '../http/gate.ts'
import type { HandlerRequest, Handlers } from '../http/handler.ts'
import { requestInvalid } from '../http/handler.ts'
import { recordChange } from '../http/handler-context.ts'
import type { Trx } from '../http/handler-context.ts'
import { isWeaker } from '../policy/handlers.ts'
import type { Policy } from '../policy/resolve.ts'
import { differencesOf } from './differences.ts'
import { makeDocumentKinds } from './kinds.ts'
import type { DocumentContext, DocumentKind, DocumentKinds, KindName, Present } from './kinds.ts'

type Change = ApplyResult['changes'][number]
type Request = HandlerRequest<'applyDocuments'>

/** What refers to nothing comes first, so that one apply may make both ends of a reference. */
const ORDER: readonly KindName[] = [
  'Policy',
  'Host',
  'Source',
  'Webhook',
  'NotificationChannel',
  'NotificationRule',
]
const EXPORTED: Readonly<Record<string, readonly KindName[]>> = {
  policies: ['Policy'],
  sources: ['Source'],
  hosts: ['Host'],
  webhooks: ['Webhook'],
  notifications: ['NotificationChannel', 'NotificationRule'],
}

/** Ends a dry run: what was done in its transaction is rolled back. */
class DryRun extends Error {}

export function makeDocumentHandlers(context: DocumentContext) {
  const kinds = makeDocumentKinds(context)
  return {
    exportDocuments: async ({ query, principal }) => {
      const wanted = query.kinds?.split(',') ?? Object.keys(EXPORTED)
      const documents: Document[] = []
      for (const kind of wanted.flatMap((name) => EXPORTED[name] ?? [])) {
        const present = await kindOf(kinds, kind).list(context.catalog.db)
        const seen = present.filter(({ labels }) => may(principal, 'setting.read', labels))
        documents.push(...seen.map((one) => one.document))
      }
      return { body: { documents } }
    },
    applyDocuments: (request) => apply(context, kinds, request),
  } satisfies Handlers
}

/** Of one kind, with the kind forgotten: documents are grouped by it before. */
function kindOf(kinds: DocumentKinds, kind: KindName): DocumentKind<KindName> {
  return kinds[kind] as unknown as DocumentKind<KindName>
}

async function apply(context: DocumentContext, kinds: DocumentKinds, request: Request) {
  const { documents } = request.body
  refuseDoubles(documents)
  const changes: Change[] = []
  try {
    await context.catalog.transaction(async (trx) => {
      changes.length = 0 // The transaction may be tried again.
      for (const kind of ORDER) {
        const group = documents.filter((one) => one.kind === kind)
        if (group.length === 0) continue
        changes.push(...(await applyGroup(trx, { context, kinds, request, kind, group })))
      }
      if (request.dryRun) throw new DryRun()
    })
  } catch (error) {
    if (!(error instanceof DryRun)) throw error
  }
  return { body: { applied: !request.dryRun, changes } }
}

function refuseDoubles(documents: readonly Document[]): void {
  const seen = new Set<string>()
  for (const [index, { kind, metadata }] of documents.entries()) {
    const key = `${kind} ${metadata.name}`
    if (seen.has(key)) throw requestInvalid(`/documents/${index}`, `${key} is there twice`)
    seen.add(key)
  }
}

async function applyGroup(
  trx: Trx,
  on: {
    readonly context: DocumentContext
    readonly kinds: DocumentKinds
    readonly request: Request
    readonly kind: KindName
    readonly group: readonly Document[]
  },
): Promise<Change[]> {
  const { context, kinds, request, kind, group } = on
  const { permission, list, save, topic } = kindOf(kinds, kind)
  if (!may(request.principal, permission)) {
    const message = `documents of kind ${kind} need the permission ${permission}`
    throw new MaasError('PERMISSION_DENIED', message, { permission })
  }
  const present = new Map((await list(trx)).map((one) => [one.document.metadata.name, one]))
  const changes: Change[] = []
  for (const wanted of group) {
    const { name } = wanted.metadata
    const old = present.get(name)
    checkScope(request.principal, wanted, old)
    const differences = differencesOf(old?.document ?? null, shape(wanted))
    const action = old === undefined ? 'create' : differences.length > 0 ? 'change' : 'none'
    const warnings = warningsOf(wanted, old)
    changes.push({ kind, name, action, differences, warnings })
    if (action === 'none') continue
    const use = warnings.length > 0 && !request.dryRun ? await consent(on, wanted, old) : undefined
    await use?.(trx)
    const id = await save(trx, wanted, old?.id)
    const labels = 'labels' in wanted.metadata ? (wanted.metadata.labels ?? {}) : {}
    const type = `${kind.toLowerCase()}.${action === 'create' ? 'created' : 'changed'}`
    await recordChange(trx, context, request, {
      action: 'applyDocuments',
      topic,
      type,
      id,
      name,
      labels,
      ...(old !== undefined && { before: old.document }),
      after: withoutSecrets(wanted),
      ...(request.body.reason !== undefined && { reason: request.body.reason }),
    })
  }
  return changes
}

/** As `list` would show it: what a document may leave out is there. */
function shape(wanted: Document): unknown {
  if (wanted.kind === 'Source' || wanted.kind === 'Host') {
    return { ...wanted, metadata: { ...wanted.metadata, labels: wanted.metadata.labels ?? {} } }
  }
  return wanted
}

function withoutSecrets(wanted: Document): unknown {
  if (wanted.kind !== 'NotificationChannel') return wanted
  return { ...wanted, spec: { ...wanted.spec, config: Object.keys(wanted.spec.config) } }
}

function checkScope(
  principal: Principal,
  wanted: Document,
  old: Present<KindName> | undefined,
): void {
  if (wanted.kind !== 'Source' && wanted.kind !== 'Host') return
  if (old !== undefined) requireInScope(principal, old.labels)
  requireInScope(principal, wanted.metadata.labels ?? {})
}

function warningsOf(wanted: Document, old: Present<KindName> | undefined): string[] {
  if (wanted.kind !== 'Policy' || old?.document.kind !== 'Policy') return []
  const { id } = old
  const policyOf = ({ metadata: { name }, spec }: typeof wanted): Policy => {
    const { selector, priority, enabled, promise } = spec
    return { id, name, selector, priority, enabled, version: 0, spec: promise }
  }
  return isWeaker(policyOf(old.document), policyOf(wanted)) ? ['keeps less than before'] : []
}

/** A policy that keeps less is changed under the same conditions as by PATCH. */
async function consent(
  on: { readonly context: DocumentContext; readonly request: Request },
  wanted: Document,
  old: Present<KindName> | undefined,
): Promise<(trx: Trx) => Promise<void>> {
  const { context, request } = on
  const { body } = request
  const { name } = wanted.metadata
  const given = await consentTo(
    context,
    { ...request, body: { confirm: name, reason: body.reason ?? '', approvalId: body.approvalId } },
    { action: 'applyDocuments', id: old?.id ?? name, name, params: { document: wanted } },
  )
  return (trx) => given.use(trx)
}
