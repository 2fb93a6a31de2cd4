/** Makes rows of the catalog from the snapshots of pools; what is there already stays. */
import { basename } from 'node:path'
import type { Insertable } from 'kysely'
import { idPattern, makeControlId } from '@openmaas/api/ids'
import type { ControlKind } from '@openmaas/api/ids'
import { isDatabaseKind, sourceOptions } from '@openmaas/api/resources/source'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import type { Result, SnapshotRowMessage } from '@openmaas/protocols/channel/orders'
import { DATABASE_TAG, type DatabaseMark, parseMark } from '../database/points.ts'
import type { Catalog } from './catalog.ts'
import { CATALOG_TAG, parsePointTags } from './point-tags.ts'
import type { PointTags } from './point-tags.ts'
import type { CatalogTables } from './schema.ts'

type PoolRow = Result<'pool.list'>['pools'][number]
type Trx = Parameters<Parameters<Catalog['transaction']>[0]>[0]

/** Rows of one insert: 17 columns each, of 32,766 parameters that SQLite takes. */
const BATCH_ROWS = 500
/** In `meta`: host/embedded.ts. */
const EMBEDDED_AGENT = 'embedded.agent'
/** Why such a point is kept, until its policy has been evaluated again. */
const REASON = 'rebuilt'

export interface RebuildCounts {
  hosts: number
  sources: number
  policies: number
  points: number
  missing: number
  /** Snapshots that say nothing about themselves, since their manifest cannot be read. */
  unreadable: number
}

interface Subject {
  readonly hostId: string
  readonly sourceId: string
}

/** Of one transaction, which may have to run again: kept only when it has committed. */
interface Work {
  readonly trx: Trx
  readonly subjects: Map<string, Subject>
  readonly counts: RebuildCounts
}

interface Described {
  readonly row: SnapshotRowMessage
  readonly tags: Partial<PointTags>
}

const rank = ({ tags }: Described): number => (tags.hostId === undefined ? 0 : 1)

function idIn(text: string | undefined, kind: ControlKind): string | undefined {
  return text !== undefined && idPattern(kind).test(text) ? text : undefined
}

/** A host that has yet to join again, or to start. */
export function makePendingHost(
  host: Pick<Insertable<CatalogTables['host']>, 'id' | 'name' | 'kind'>,
  clock: Clock,
): Insertable<CatalogTables['host']> {
  return {
    ...host,
    labelsJson: '{}',
    state: 'pending',
    drained: 0,
    softwareVersion: '',
    aboutJson: '{}',
    clockSkewMs: 0,
    createdAt: clock.wallMs(),
    version: 1,
  }
}

/** Ids of points sort by the time they were taken. */
class Moment implements Clock {
  readonly #at: number

  constructor(at: number) {
    this.#at = at
  }

  wallMs(): number {
    return this.#at
  }

  monotonicMs(): number {
    return this.#at
  }
}

/** Set by the node, or told to it: for which request, of which source, of which database. */
const REQUEST_TAG = 'openmaas.request'
const SOURCE_TAG = 'openmaas.source'
const BOOKMARK_TAG = 'openmaas.bookmark'
/** As a request without it has. */
const RETAINED_LIMIT_BYTES = 16 * 1024 ** 3

/** Not exports of a catalog, bookmarks, or the empty volumes that points of databases begin on. */
function isPoint({ tags, kind }: SnapshotRowMessage): boolean {
  if (CATALOG_TAG in tags || BOOKMARK_TAG in tags) return false
  return kind === 'tree' || !(REQUEST_TAG in tags) || SOURCE_TAG in tags
}

export class Rebuilder {
  #counts: RebuildCounts = {
    hosts: 0,
    sources: 0,
    policies: 0,
    points: 0,
    missing: 0,
    unreadable: 0,
  }
  readonly #catalog: Catalog
  readonly #nodeId: string
  readonly #clock: Clock
  readonly #random: Random
  /** Host and name of the source as the snapshot says → the rows they have become. */
  #subjects: ReadonlyMap<string, Subject> = new Map()

  constructor(
    catalog: Catalog,
    nodeId: string,
    deps: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#catalog = catalog
    this.#nodeId = nodeId
    this.#clock = deps.clock
    this.#random = deps.random
  }

  get counts(): Readonly<RebuildCounts> {
    return this.#counts
  }

  /** @param snapshots all of that pool */
  async addPool(pool: PoolRow, snapshots: readonly SnapshotRowMessage[]): Promise<void> {
    await this.#catalog.transaction((trx) => this.#savePool(trx, pool))
    const known = await this.#catalog.db
      .selectFrom('point')
      .select(['snapshotId', 'state'])
      .where('poolId', '=', pool.poolId)
      .execute()
    await this.#markMissing(pool.poolId, known, snapshots)
    const ids = new Set(known.map((point) => point.snapshotId))
    // Hosts with an id come first: a snapshot without tags then finds its host by name. And the
    // newest of a source before the older ones: what it says about the source is what holds.
    const added = snapshots
      .filter((row) => isPoint(row) && !ids.has(row.snapshotId))
      .map((row) => ({ row, tags: parsePointTags(row.tags) }))
      .toSorted((a, b) => rank(b) - rank(a) || b.row.takenAt - a.row.takenAt)
    const readable = added.filter(({ row }) => row.sourceName !== '' || row.host !== '')
    this.#counts.unreadable += added.length - readable.length
    for (let first = 0; first < readable.length; first += BATCH_ROWS) {
      const batch = readable.slice(first, first + BATCH_ROWS)
      const done = await this.#catalog.transaction(async (trx) => {
        const work = { trx, subjects: new Map(this.#subjects), counts: { ...this.#counts } }
        await this.#addPoints(work, pool.poolId, batch)
        return work
      })
      this.#subjects = done.subjects
      this.#counts = done.counts
    }
  }

  async #savePool(trx: Trx, pool: PoolRow): Promise<void> {
    const { poolId, path, state, ...stats } = pool
    const now = this.#clock.wallMs()
    const seen = {
      nodeId: this.#nodeId,
      path,
      state,
      statsJson: JSON.stringify(stats),
      seenAt: now,
    }
    await trx
      .insertInto('pool')
      .values({
        id: poolId,
        name: basename(path),
        labelsJson: '{}',
        createdAt: now,
        version: 1,
        ...seen,
      })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(seen))
      .execute()
  }

  async #markMissing(
    poolId: string,
    known: readonly { readonly snapshotId: string; readonly state: string }[],
    snapshots: readonly SnapshotRowMessage[],
  ): Promise<void> {
    const there = new Set(snapshots.map((row) => row.snapshotId))
    const gone = known.filter((point) => point.state !== 'deleted' && !there.has(point.snapshotId))
    for (let first = 0; first < gone.length; first += BATCH_ROWS) {
      const ids = gone.slice(first, first + BATCH_ROWS).map((point) => point.snapshotId)
      await this.#catalog.db
        .updateTable('point')
        .set({ state: 'missing' })
        .where('poolId', '=', poolId)
        .where('snapshotId', 'in', ids)
        .execute()
    }
    this.#counts.missing += gone.length
  }

  async #addPoints(work: Work, poolId: string, batch: readonly Described[]): Promise<void> {
    const rows: Insertable<CatalogTables['point']>[] = []
    for (const described of batch) {
      const { row, tags } = described
      const mark = parseMark(row.tags[DATABASE_TAG])
      const subject = await this.#subjectOf(work, poolId, described)
      rows.push({
        id: makeControlId('point', new Moment(row.takenAt), this.#random),
        ...subject,
        poolId,
        snapshotId: row.snapshotId,
        kind: row.kind,
        consistency: mark?.consistency ?? (row.kind === 'tree' ? 'files' : 'crash'),
        databaseJson: mark === null ? null : JSON.stringify(mark),
        takenAt: row.takenAt,
        sizeBytes: row.sizeBytes,
        addedBytes: row.addedBytes,
        itemCount: row.itemCount,
        warningCount: row.warningCount,
        state: 'available',
        reasonsJson: JSON.stringify([REASON]),
        lockUntil: row.lockUntil,
        verifiedAt: null,
        labelsJson: JSON.stringify(tags.labels ?? {}),
        onDemand: mark?.onDemand === true ? 1 : 0,
      })
    }
    await work.trx.insertInto('point').values(rows).execute()
    work.counts.points += rows.length
    const newest = new Map<string, Insertable<CatalogTables['point']>>()
    for (const row of rows) {
      const known = newest.get(row.sourceId)
      if (known === undefined || known.takenAt < row.takenAt) newest.set(row.sourceId, row)
    }
    for (const row of newest.values()) await this.#noteSuccess(work.trx, row)
  }

  /** The newest point of its source is the one that restarts the clock of its promise. */
  async #noteSuccess(trx: Trx, point: Insertable<CatalogTables['point']>): Promise<void> {
    await trx
      .updateTable('source')
      .set({ lastSuccessAt: point.takenAt, lastPointId: point.id })
      .where('id', '=', point.sourceId)
      .where((e) => e.or([e('lastSuccessAt', 'is', null), e('lastSuccessAt', '<', point.takenAt)]))
      .execute()
  }

  async #subjectOf(work: Work, poolId: string, described: Described): Promise<Subject> {
    const { row, tags } = described
    // The node itself tags whose snapshot it is; what the capture says about it may be missing.
    const said = idIn(tags.sourceId ?? row.tags['openmaas.source'], 'source')
    const key = said ?? JSON.stringify([row.host, row.sourceName, row.kind])
    const known = work.subjects.get(key)
    if (known !== undefined) return known
    const subject = await this.#loadOrAdd(work, said, poolId, described)
    work.subjects.set(key, subject)
    return subject
  }

  async #loadOrAdd(
    work: Work,
    said: string | undefined,
    poolId: string,
    described: Described,
  ): Promise<Subject> {
    if (said !== undefined) {
      const query = work.trx.selectFrom('source').select(['id', 'hostId']).where('id', '=', said)
      const known = await query.executeTakeFirst()
      if (known !== undefined) return { hostId: known.hostId, sourceId: known.id }
    }
    const { row, tags } = described
    const hostId = await this.#hostOf(work, described)
    const name = (tags.sourceName ?? row.sourceName) || 'unnamed'
    const query = work.trx.selectFrom('source').select('id').where('hostId', '=', hostId)
    const same = await query.where('name', '=', name).executeTakeFirst()
    if (same !== undefined && said === undefined) return { hostId, sourceId: same.id }
    const sourceId = said ?? makeControlId('source', this.#clock, this.#random)
    const policyId = await this.#policyOf(work, tags)
    const mark = parseMark(row.tags[DATABASE_TAG])
    const engine = mark !== null && isDatabaseKind(mark.engine) ? mark.engine : null
    await work.trx
      .insertInto('source')
      .values({
        id: sourceId,
        name: same === undefined ? name : `${name} ${sourceId.slice(-6)}`,
        hostId,
        kind: engine ?? (row.kind === 'tree' ? 'files' : 'disk'),
        path: tags.sourcePath ?? '/',
        optionsJson: JSON.stringify(tags.sourceOptions ?? sourceOptions.parse({})),
        labelsJson: JSON.stringify(tags.labels ?? {}),
        policyId,
        poolId,
        // Without its path nobody knows what to protect: its owner says so first.
        // Of a database: nor its password.
        paused: tags.sourcePath === undefined || engine !== null ? 1 : 0,
        lastSuccessAt: null,
        lastPointId: null,
        createdAt: this.#clock.wallMs(),
        version: 1,
      })
      .execute()
    if (engine !== null) await this.#addDatabase(work.trx, sourceId, mark?.connection)
    work.counts.sources += 1
    return { hostId, sourceId }
  }

  /** Its points can be used; to be protected again it needs its password, and a new copy. */
  async #addDatabase(
    trx: Trx,
    sourceId: string,
    connection: DatabaseMark['connection'],
  ): Promise<void> {
    const unknown = { host: 'unknown', port: 1, user: 'unknown', tls: 'off', ca: null }
    await trx
      .insertInto('sourceDatabase')
      .values({
        sourceId,
        stagingHostId: null,
        connectionJson: JSON.stringify(connection ?? unknown),
        secretId: null,
        volumeBytes: null,
        retainedLimitBytes: RETAINED_LIMIT_BYTES,
        synchronous: 0,
        selfService: 'off',
        engineVersion: '',
        identity: '',
        mediumId: null,
        seededAt: null,
        statusJson: null,
        statusAt: null,
      })
      .execute()
  }

  /** Found by the id in the tag, else by name; otherwise a host that has yet to join again. */
  async #hostOf(work: Work, { row, tags }: Described): Promise<string> {
    const said = idIn(tags.hostId, 'host')
    const name = (tags.hostName ?? row.host) || 'unknown'
    const query = work.trx.selectFrom('host').select('id')
    const found = await (
      said === undefined
        ? query.where('name', '=', name).where('kind', '=', 'agent').orderBy('id')
        : query.where('id', '=', said)
    ).executeTakeFirst()
    if (found !== undefined) return found.id
    // The agent in this server's own process has another id in a catalog that was made anew.
    const embedded = await work.trx
      .selectFrom('host')
      .innerJoin('meta', 'meta.value', 'host.id')
      .select('host.id')
      .where('meta.key', '=', EMBEDDED_AGENT)
      .where('host.name', '=', name)
      .executeTakeFirst()
    if (embedded !== undefined) return embedded.id
    const id = said ?? makeControlId('host', this.#clock, this.#random)
    const host = makePendingHost({ id, name, kind: 'agent' }, this.#clock)
    await work.trx.insertInto('host').values(host).execute()
    work.counts.hosts += 1
    return id
  }

  /** @returns the policy that the source names itself, which it must where no selector would */
  async #policyOf(work: Work, tags: Partial<PointTags>): Promise<string | null> {
    const { policy } = tags
    if (policy === null || policy === undefined || idIn(policy.id, 'policy') === undefined)
      return null
    const query = work.trx.selectFrom('policy').select(['id', 'name'])
    const same = await query
      .where((e) => e.or([e('id', '=', policy.id), e('name', '=', policy.name)]))
      .execute()
    if (!same.some((row) => row.id === policy.id)) {
      const taken = same.some((row) => row.name === policy.name)
      await work.trx
        .insertInto('policy')
        .values({
          id: policy.id,
          name: taken ? `${policy.name} ${policy.id.slice(-6)}` : policy.name,
          selectorJson: policy.selector === null ? null : JSON.stringify(policy.selector),
          priority: policy.priority,
          specJson: JSON.stringify(policy.spec),
          enabled: 1,
          createdAt: this.#clock.wallMs(),
          version: 1,
        })
        .execute()
      work.counts.policies += 1
    }
    return tags.pinnedPolicy === true || policy.selector === null ? policy.id : null
  }
}
