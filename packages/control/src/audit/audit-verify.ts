/** Verification of the chain: finds the first row that is wrong (docs/internals/audit.md). */
import { setImmediate } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import { loadAuditHead } from './audit-log.ts'
import { GENESIS_HASH, hashAudit } from './audit-row.ts'
import type { AuditRow } from './audit-row.ts'

export type AuditProblem = 'changed' | 'missing' | 'foreign' | 'truncated' | 'anchor'

/** A head that was written down outside of the catalog. */
export interface AuditAnchor {
  readonly seq: number
  readonly hash: string
}

export interface AuditVerified {
  readonly intact: boolean
  /** Rows that were read. */
  readonly checked: number
  /** The last row that is as it should be. */
  readonly head: AuditAnchor | null
  readonly brokenAt: number | null
  readonly problem: AuditProblem | null
  /** Time of the first row. */
  readonly since: number | null
}

/** Rows of one query: some milliseconds, for which a synchronous database holds the thread. */
const BATCH_ROW_COUNT = 500

interface Walk {
  seq: number
  hash: string
  since: number | null
}

/** Rows that come while it runs are not looked at. */
export async function verifyAudit(
  db: Kysely<CatalogTables>,
  anchors: readonly AuditAnchor[],
  signal?: AbortSignal,
): Promise<AuditVerified> {
  const head = await loadAuditHead(db)
  const known = head === null ? anchors : [...anchors, head]
  const expected = Map.groupBy(known, (anchor) => anchor.seq)
  const walk: Walk = { seq: 0, hash: GENESIS_HASH, since: null }
  const broken = (seq: number, problem: AuditProblem): AuditVerified => ({
    ...ended(walk),
    intact: false,
    brokenAt: seq,
    problem,
  })
  for (;;) {
    signal?.throwIfAborted()
    const rows = await loadBatch(db, walk.seq, head?.seq ?? 0)
    for (const row of rows) {
      const problem = judge(row, walk, expected)
      if (problem !== null) return broken(walk.seq + 1, problem)
      walk.since ??= row.at
      walk.seq = row.seq
      walk.hash = row.hash
    }
    if (rows.length < BATCH_ROW_COUNT) break
    await setImmediate()
  }
  const last = Math.max(0, ...expected.keys())
  if (last > walk.seq) return broken(walk.seq + 1, 'truncated')
  // Rows may have come since; but none stands beyond the head that its writer left.
  const newest = await loadNewest(db)
  if (newest > ((await loadAuditHead(db))?.seq ?? 0)) return broken(newest, 'foreign')
  return ended(walk)
}

function judge(
  row: AuditRow,
  walk: Walk,
  expected: ReadonlyMap<number, readonly AuditAnchor[]>,
): AuditProblem | null {
  if (row.seq !== walk.seq + 1) return 'missing'
  const { hash, ...content } = row
  if (hashAudit(content) !== hash) return 'changed'
  if (row.previousHash !== walk.hash) return 'foreign'
  const anchors = expected.get(row.seq) ?? []
  return anchors.every((anchor) => anchor.hash === hash) ? null : 'anchor'
}

function ended(walk: Walk): AuditVerified {
  return {
    intact: true,
    checked: walk.seq,
    head: walk.seq === 0 ? null : { seq: walk.seq, hash: walk.hash },
    brokenAt: null,
    problem: null,
    since: walk.since,
  }
}

async function loadNewest(db: Kysely<CatalogTables>): Promise<number> {
  const { newest } = await db
    .selectFrom('audit')
    .select((eb) => eb.fn.max('seq').as('newest'))
    .executeTakeFirstOrThrow()
  return newest ?? 0
}

function loadBatch(
  db: Kysely<CatalogTables>,
  afterSeq: number,
  lastSeq: number,
): Promise<AuditRow[]> {
  return db
    .selectFrom('audit')
    .selectAll()
    .where('seq', '>', afterSeq)
    .where('seq', '<=', lastSeq)
    .orderBy('seq')
    .limit(BATCH_ROW_COUNT)
    .execute()
}
