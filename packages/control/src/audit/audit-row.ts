/**
 * One row of the audit log as a value: its canonical text and its hash (docs/internals/audit.md).
 */
import { createHash } from 'node:crypto'
import type { Labels } from '@openmaas/api/permissions'
import type { CatalogTables } from '../catalog/schema.ts'

export type AuditRow = CatalogTables['audit']

/** What the caller knows; number, time and hashes are the log's. */
export interface AuditEntry {
  /** As in Principal; for a login that failed `anonymous`. */
  readonly actor: string
  /** Where the request came from; empty for the server's own work. */
  readonly address: string
  /** Name of the route, or `clock.back` and the like. */
  readonly action: string
  /** Id of what it was done to. */
  readonly object: string
  readonly labels?: Labels
  readonly outcome: AuditRow['outcome']
  readonly requestId: string
  readonly before?: unknown
  readonly after?: unknown
  readonly reason?: string
}

/** `previousHash` of the first row. */
export const GENESIS_HASH = '0'.repeat(64)
/** Characters of a text; longer ones come from somebody who tries to fill the disk. */
const TEXT_LENGTH_MAX = 4096
/** Characters of a state as JSON; above, its size and hash stand for it. */
const STATE_LENGTH_MAX = 64 * 1024
const SECRET =
  /pass(?:word|phrase)|secret|token|csrf|credential|private|sealed|authorization|cookie/i
/** What names, counts or dates a secret is not the secret. */
const SECRET_NAME = /(?:id|name|count|file|path|at)$/i
/** Deeper, and it is no state of ours. */
const DEPTH_MAX = 16

/** The text whose SHA-256 is the hash: members sorted, no white space (RFC 8785). */
export function canonicalAudit(row: Omit<AuditRow, 'hash'>): string {
  return JSON.stringify({
    action: row.action,
    actor: row.actor,
    address: row.address,
    after: row.afterJson,
    at: row.at,
    before: row.beforeJson,
    labels: row.labelsJson,
    object: row.object,
    outcome: row.outcome,
    previousHash: row.previousHash,
    reason: row.reason,
    requestId: row.requestId,
    seq: row.seq,
  })
}

export function hashAudit(row: Omit<AuditRow, 'hash'>): string {
  return createHash('sha256').update(canonicalAudit(row)).digest('hex')
}

/** The row that follows the head; every text in it reads back from any database as it is here. */
export function makeAuditRow(
  entry: AuditEntry,
  place: { readonly seq: number; readonly at: number; readonly previousHash: string },
): AuditRow {
  const row = {
    ...place,
    actor: storable(entry.actor),
    address: storable(entry.address),
    action: storable(entry.action),
    object: storable(entry.object),
    labelsJson: JSON.stringify(entry.labels ?? {}).toWellFormed(),
    outcome: entry.outcome,
    requestId: storable(entry.requestId),
    beforeJson: stateText(entry.before),
    afterJson: stateText(entry.after),
    reason: entry.reason === undefined ? null : storable(entry.reason),
  }
  return { ...row, hash: hashAudit(row) }
}

/** NUL is nothing that PostgreSQL takes, a lone surrogate nothing that UTF-8 has. */
function storable(text: string): string {
  return text.slice(0, TEXT_LENGTH_MAX).toWellFormed().replaceAll('\0', '�')
}

function stateText(state: unknown): string | null {
  if (state === undefined) return null
  // The text escapes NUL and lone surrogates, so it is storable.
  const text = JSON.stringify(withoutSecrets(state, 0))
  if (text.length <= STATE_LENGTH_MAX) return text
  const sha256 = createHash('sha256').update(text).digest('hex')
  return JSON.stringify({ tooLarge: text.length, sha256 })
}

function withoutSecrets(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value ?? null
  if (value instanceof Date) return value.toISOString()
  if (depth >= DEPTH_MAX) return '…'
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, depth + 1))
  const rows = Object.entries(value).map(([key, member]) => {
    const secret = SECRET.test(key) && !SECRET_NAME.test(key) && isSecretKind(member)
    return [key, secret ? '(secret)' : withoutSecrets(member, depth + 1)]
  })
  return Object.fromEntries(rows)
}

/** `mustChangePassword: true` tells nothing; a text, a list or an object might. */
function isSecretKind(member: unknown): boolean {
  return member !== null && member !== undefined && typeof member !== 'boolean'
}
