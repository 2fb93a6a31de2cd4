/** A catalog that was lost comes back from what the pools know. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import type {
  OrderGiver,
  Params,
  Result,
  SnapshotRowMessage,
  Verb,
} from '@openmaas/protocols/channel/orders'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { policySpec } from '@openmaas/api/policy'
import { sourceOptions } from '@openmaas/api/resources/source'
import { describeBothCatalogs } from './both-catalogs.test-support.ts'
import type { Catalog } from './catalog.ts'
import { exportCatalog } from './export.ts'
import { makeDatabaseTag, parseMark } from '../database/points.ts'
import { CATALOG_TAG, makePointTags } from './point-tags.ts'
import type { PointTags } from './point-tags.ts'
import { rebuildCatalog } from './rebuild.ts'
import type { RebuildResult } from './rebuild.ts'

const ulid = (text: string): string => text.padStart(26, '0')
const POOL = `pol_${ulid('1')}`
const NODE = `hst_${ulid('9')}`
const HOST = `hst_${ulid('1')}`
const SOURCE = `src_${ulid('1')}`
const POLICY = `plc_${ulid('1')}`
const PIECE_MAX = 1000
const clock = new FakeClock()
const random = new SeededRandom(3)

const spec = policySpec.parse({ rpo: '15m' })
const described: PointTags = {
  sourceId: SOURCE,
  sourceName: 'home',
  sourcePath: '/home',
  sourceOptions: sourceOptions.parse({ exclude: ['*.tmp'] }),
  hostId: HOST,
  hostName: 'web-1',
  labels: { env: 'prod' },
  pinnedPolicy: false,
  policy: { id: POLICY, name: 'gold', selector: { env: 'prod' }, priority: 5, spec },
}

function snapshot(number: number, more: Partial<SnapshotRowMessage> = {}): SnapshotRowMessage {
  return {
    snapshotId: `snp_${ulid(String(number))}`,
    kind: 'tree',
    takenAt: 1_000_000 + number * 1000,
    host: 'web-1',
    sourceName: 'home',
    sizeBytes: 100,
    addedBytes: 10,
    itemCount: 3,
    warningCount: 0,
    lockUntil: null,
    tags: makePointTags(described),
    ...more,
  }
}

/** A node with one pool, in small pages and small pieces. */
class MemoryNode implements OrderGiver {
  readonly snapshots: SnapshotRowMessage[] = []
  readonly files = new Map<string, Buffer>()
  readonly #keys = new Set<string>()

  isConnected(): boolean {
    return true
  }

  order<V extends Verb>(
    host: string,
    verb: V,
    params: Params<V>,
    options: { key: string },
  ): Promise<Result<V>> {
    expect(host).toBe(NODE)
    expect(this.#keys.has(options.key), 'each order has a key of its own').toBe(false)
    this.#keys.add(options.key)
    const checked: unknown = ORDERS[verb].params.parse(params)
    return Promise.resolve(
      ORDERS[verb].result.parse(this.#answer(verb, checked as never)) as Result<V>,
    )
  }

  #answer(
    verb: Verb,
    params: { after: string | null; snapshotId: string; path: string; offset: number },
  ): unknown {
    if (verb === 'pool.list') {
      const counts = {
        sizeBytes: 1,
        freeBytes: 1,
        physicalBytes: 1,
        logicalBytes: 1,
        snapshotCount: 1,
        packCount: 1,
        badBlocks: 0,
      }
      return { pools: [{ poolId: POOL, path: '/srv/pool-1', state: 'online', ...counts }] }
    }
    if (verb === 'pool.snapshots') {
      const first = this.snapshots.findIndex((row) => row.snapshotId === params.after) + 1
      return {
        snapshots: this.snapshots.slice(first, first + 2),
        more: first + 2 < this.snapshots.length,
      }
    }
    const file = this.files.get(params.snapshotId)
    if (file === undefined) throw new MaasError('SNAPSHOT_NOT_FOUND', 'no such snapshot')
    if (verb === 'point.list') {
      const entry = {
        name: params.path === '' ? 'spool' : 'catalog.jsonl',
        size: file.length,
        mtimeMs: 0,
        mode: 0o600,
        owner: 'root',
      }
      return {
        entries: [{ ...entry, kind: params.path === '' ? 'directory' : 'file' }],
        more: false,
      }
    }
    expect(params.path).toBe('spool/catalog.jsonl')
    const data = file.subarray(params.offset, params.offset + PIECE_MAX).toString('base64')
    return { data, size: file.length }
  }
}

let directory: TemporaryDirectory
let node: MemoryNode
beforeEach(() => {
  directory = new TemporaryDirectory()
  node = new MemoryNode()
})
afterEach(() => directory.dispose())

const rebuild = (catalog: Catalog): Promise<RebuildResult> =>
  rebuildCatalog(catalog, node, NODE, {
    clock,
    random,
    directory: directory.path,
  })

async function storeCopy(catalog: Catalog, number: number): Promise<void> {
  const path = directory.join(`copy-${number}`)
  await exportCatalog(catalog, path)
  const row = snapshot(number, { sourceName: 'openmaas-catalog', tags: { [CATALOG_TAG]: 'copy' } })
  node.snapshots.push(row)
  node.files.set(row.snapshotId, readFileSync(path))
}

describeBothCatalogs('a rebuilt catalog', (make) => {
  test('has hosts, sources, policies and points from the tags of the snapshots', async () => {
    for (let i = 1; i <= 5; i += 1) node.snapshots.push(snapshot(i))
    node.snapshots.push(
      snapshot(6, { lockUntil: 9_999_999, kind: 'volume', sourceName: 'vm', tags: {} }),
    )
    const catalog = await make()
    const result = await rebuild(catalog)
    expect(result).toEqual({
      catalogCopy: null,
      pools: 1,
      snapshots: 6,
      hosts: 1,
      sources: 2,
      policies: 1,
      points: 6,
      missing: 0,
      unreadable: 0,
    })
    const sources = await catalog.db.selectFrom('source').selectAll().orderBy('name').execute()
    expect(sources[0]).toMatchObject({
      id: SOURCE,
      name: 'home',
      hostId: HOST,
      kind: 'files',
      path: '/home',
      policyId: null,
      poolId: POOL,
      paused: 0,
      lastSuccessAt: 1_005_000,
      labelsJson: '{"env":"prod"}',
    })
    expect(JSON.parse(sources[0]!.optionsJson)).toMatchObject({ exclude: ['*.tmp'] })
    expect(sources[1]).toMatchObject({ name: 'vm', hostId: HOST, kind: 'disk', paused: 1 })
    const newest = await catalog.db
      .selectFrom('point')
      .selectAll()
      .where('id', '=', sources[0]!.lastPointId)
      .executeTakeFirst()
    expect(newest).toMatchObject({
      snapshotId: snapshot(5).snapshotId,
      sourceId: SOURCE,
      hostId: HOST,
      state: 'available',
    })
    expect(newest?.reasonsJson).not.toBe('[]')
    const locked = await catalog.db
      .selectFrom('point')
      .select('lockUntil')
      .where('sourceId', '=', sources[1]!.id)
      .execute()
    expect(locked).toEqual([{ lockUntil: 9_999_999 }])
    const policy = await catalog.db.selectFrom('policy').selectAll().executeTakeFirst()
    expect(policy).toMatchObject({
      id: POLICY,
      name: 'gold',
      selectorJson: '{"env":"prod"}',
      priority: 5,
      enabled: 1,
    })
    expect(JSON.parse(policy!.specJson)).toEqual(spec)
    expect(await catalog.db.selectFrom('host').select(['id', 'name', 'state']).execute()).toEqual([
      { id: HOST, name: 'web-1', state: 'pending' },
    ])
  })

  test('is the same when it is rebuilt twice', async () => {
    for (let i = 1; i <= 3; i += 1) node.snapshots.push(snapshot(i))
    node.snapshots.push(snapshot(4, { sourceName: 'vm', tags: {} }))
    const catalog = await make()
    await rebuild(catalog)
    const again = await rebuild(catalog)
    expect(again).toMatchObject({ hosts: 0, sources: 0, policies: 0, points: 0, missing: 0 })
    node.snapshots.splice(0, 1)
    node.snapshots.push(snapshot(5, { sourceName: 'vm', tags: {} }))
    expect(await rebuild(catalog)).toMatchObject({ hosts: 0, sources: 0, points: 1, missing: 1 })
    const states = await catalog.db.selectFrom('point').select('state').orderBy('takenAt').execute()
    expect(states.map((row) => row.state)).toEqual([
      'missing',
      'available',
      'available',
      'available',
      'available',
    ])
  })

  test('takes from the newest point what has changed since the older ones', async () => {
    node.snapshots.push(
      snapshot(1, { tags: makePointTags({ ...described, sourceName: 'old', sourcePath: '/old' }) }),
    )
    node.snapshots.push(snapshot(2, { tags: makePointTags({ ...described, pinnedPolicy: true }) }))
    const catalog = await make()
    await rebuild(catalog)
    const source = await catalog.db.selectFrom('source').selectAll().executeTakeFirst()
    expect(source).toMatchObject({ name: 'home', path: '/home', policyId: POLICY })
  })

  test('keeps two sources of one name apart by their ids', async () => {
    node.snapshots.push(
      snapshot(1),
      snapshot(2, { tags: makePointTags({ ...described, sourceId: `src_${ulid('2')}` }) }),
    )
    const catalog = await make()
    expect(await rebuild(catalog)).toMatchObject({ sources: 2, points: 2 })
    const names = await catalog.db.selectFrom('source').select('name').orderBy('name').execute()
    expect(names).toEqual([{ name: 'home' }, { name: 'home 000001' }])
  })

  test('keeps points of a database as such, and takes neither bookmarks nor empty volumes for points', async () => {
    const mark = {
      engine: 'postgres',
      engineVersion: '15.1',
      position: '0/3000028',
      detail: '1',
      atMs: 7,
      logFromMs: 5,
      consistency: 'application',
      connection: { host: 'db', port: 5432, user: 'backup', tls: 'off', ca: null },
    } as const
    const tags = { ...makePointTags(described), ...makeDatabaseTag(mark) }
    node.snapshots.push(
      snapshot(1, { kind: 'volume', tags: { 'openmaas.request': 'job_1' } }),
      snapshot(2, { kind: 'volume', tags: { ...tags, 'openmaas.source': described.sourceId } }),
      snapshot(3, { kind: 'volume', tags: { 'openmaas.bookmark': 'vdb_1' } }),
    )
    const catalog = await make()
    expect(await rebuild(catalog)).toMatchObject({ sources: 1, points: 1 })
    const point = await catalog.db.selectFrom('point').selectAll().executeTakeFirstOrThrow()
    expect(point.consistency).toBe('application')
    expect(parseMark(point.databaseJson)).toEqual(mark)
    // Its password is nowhere: nothing begins by itself.
    const source = await catalog.db.selectFrom('source').selectAll().executeTakeFirst()
    expect(source).toMatchObject({ kind: 'postgres', paused: 1 })
    const database = await catalog.db.selectFrom('sourceDatabase').selectAll().executeTakeFirst()
    expect(database).toMatchObject({ sourceId: source!.id, secretId: null, mediumId: null })
  })

  test('believes no tag that is not as we write it', async () => {
    const tags = {
      'openmaas.source-id': "src_'; drop table point",
      'openmaas.host-id': 'hst_',
      'openmaas.labels': '[1]',
      'openmaas.policy': '{"id":"x"',
      'openmaas.source-options': '{"include":7}',
    }
    node.snapshots.push(snapshot(1, { tags }), snapshot(2, { host: '', sourceName: '', tags: {} }))
    const catalog = await make()
    expect(await rebuild(catalog)).toMatchObject({
      sources: 1,
      policies: 0,
      points: 1,
      unreadable: 1,
    })
    const source = await catalog.db.selectFrom('source').selectAll().executeTakeFirst()
    expect(source).toMatchObject({ name: 'home', labelsJson: '{}' })
    expect(source?.id).toMatch(/^src_[0-9A-Z]{26}$/)
  })

  test('is the newest copy in the pool, with what came after it', async () => {
    for (let i = 1; i <= 3; i += 1) node.snapshots.push(snapshot(i))
    const lost = await make()
    await rebuild(lost)
    await lost.db.updateTable('source').set({ name: 'named by hand' }).execute()
    await storeCopy(lost, 4)
    node.snapshots.splice(1, 1)
    node.snapshots.push(snapshot(5))
    const catalog = await make()
    const result = await rebuild(catalog)
    expect(result).toMatchObject({
      catalogCopy: { snapshotId: snapshot(4).snapshotId },
      hosts: 0,
      sources: 0,
      policies: 0,
      points: 1,
      missing: 1,
    })
    const source = await catalog.db.selectFrom('source').selectAll().executeTakeFirst()
    expect(source).toMatchObject({ id: SOURCE, name: 'named by hand', lastSuccessAt: 1_005_000 })
  })

  test('passes by a copy of the empty catalog that a server made after the loss', async () => {
    node.snapshots.push(snapshot(1))
    const lost = await make()
    await rebuild(lost)
    await storeCopy(lost, 2)
    const fresh = await make()
    await fresh.db
      .insertInto('meta')
      .values({ key: 'embedded.agent', value: `hst_${ulid('7')}` })
      .execute()
    await storeCopy(fresh, 3)
    expect(await rebuild(fresh)).toMatchObject({
      catalogCopy: { snapshotId: snapshot(2).snapshotId },
      points: 0,
    })
  })

  test('gives the points of this machine to the agent that a server without a catalog has made', async () => {
    node.snapshots.push(snapshot(1))
    const catalog = await make()
    const own = `hst_${ulid('7')}`
    const row = {
      labelsJson: '{}',
      drained: 0,
      softwareVersion: '',
      aboutJson: '{}',
      clockSkewMs: 0,
      createdAt: 1,
      version: 1,
    }
    await catalog.db
      .insertInto('host')
      .values({ ...row, id: own, name: 'web-1', kind: 'agent', state: 'offline' })
      .execute()
    await catalog.db.insertInto('meta').values({ key: 'embedded.agent', value: own }).execute()
    await rebuild(catalog)
    expect(await catalog.db.selectFrom('source').select(['id', 'hostId']).execute()).toEqual([
      { id: SOURCE, hostId: own },
    ])
  })

  test('knows the node that has the pools, which waits to come', async () => {
    node.snapshots.push(snapshot(1))
    const catalog = await make()
    const options = { clock, random, directory: directory.path, nodeName: 'vm-node' }
    await rebuildCatalog(catalog, node, NODE, options)
    const host = await catalog.db
      .selectFrom('host')
      .select(['name', 'kind', 'state'])
      .where('id', '=', NODE)
      .execute()
    expect(host).toEqual([{ name: 'vm-node', kind: 'node', state: 'pending' }])
    const pool = await catalog.db.selectFrom('pool').select('nodeId').executeTakeFirst()
    expect(pool).toEqual({ nodeId: NODE })
  })

  test('takes the copy before when the newest is damaged, and says so when none is whole', async () => {
    node.snapshots.push(snapshot(1))
    const lost = await make()
    await rebuild(lost)
    await storeCopy(lost, 2)
    await storeCopy(lost, 3)
    const damaged = node.files.get(snapshot(3).snapshotId)!
    node.files.set(snapshot(3).snapshotId, damaged.subarray(0, -20))
    expect(await rebuild(await make())).toMatchObject({
      catalogCopy: { snapshotId: snapshot(2).snapshotId },
    })
    node.files.set(snapshot(2).snapshotId, Buffer.alloc(0))
    await expect(rebuild(await make())).rejects.toMatchObject({ code: 'CATALOG_EXPORT_INVALID' })
  })
})
