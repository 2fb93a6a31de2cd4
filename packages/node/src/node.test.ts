import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import { systemClock } from '@openmaas/kernel/clock'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { Pool } from '@openmaas/pool/pool/pool'
import { systemRandom } from '@openmaas/kernel/random'
import { Node } from './node.ts'
import { NodeSite } from './node.test-support.ts'
import { PoolStore } from './pool-store.ts'

let site: NodeSite
let source: string

beforeEach(async () => {
  site = await NodeSite.make()
  source = site.files.join('source')
  mkdirSync(`${source}/docs`, { recursive: true })
  writeFileSync(`${source}/docs/readme.txt`, 'hello, world')
  writeFileSync(`${source}/big.bin`, Buffer.alloc(3_000_000, 'abcdefg'))
})
afterEach(() => site[Symbol.asyncDispose]())

const code = (expected: string): unknown => expect.objectContaining({ code: expected })

test('a node opens its pools again when it starts again', async () => {
  const { snapshotId } = await site.capture(source)
  await site.restart()
  const { pools } = await site.order('pool.list', {})
  expect(pools).toMatchObject([{ poolId: site.poolId, state: 'online', snapshotCount: 1 }])
  expect(pools[0]!.logicalBytes).toBe(3_000_012)
  const { snapshots, more } = await site.order('pool.snapshots', {
    poolId: site.poolId,
    after: null,
    limit: 10,
  })
  expect(more).toBe(false)
  expect(snapshots).toMatchObject([{ snapshotId, sourceName: 'etc', sizeBytes: 3_000_012 }])
})

test('a pool whose maker was killed before it was known is in care at the next start', async () => {
  const directory = site.files.join('node')
  const brick = site.files.join('second')
  const passphrase = 'as the killed one chose it'
  new PoolStore({ directory, random: systemRandom }).begin({ path: brick, passphrase })
  const fs = new NodeFs()
  const deps = { fs, clock: systemClock, random: systemRandom }
  const { poolId } = await Pool.create({
    ...deps,
    bricks: [brick],
    redundancy: 'single',
    passphrase,
  })
  await site.restart()
  expect(site.node.passphraseOf(brick)).toBe(passphrase)
  expect(site.node.pools.map(({ id }) => id)).toContain(poolId)
})

test('of a pool that was begun and never made, nothing is known', async () => {
  const directory = site.files.join('node')
  const store = new PoolStore({ directory, random: systemRandom })
  store.begin({ path: site.files.join('nowhere'), passphrase: 'x' })
  await site.restart()
  expect([store.begun(), store.load().length]).toEqual([undefined, 1])
  await expect(site.node.create([site.files.join('pool')], 'single')).rejects.toMatchObject({
    code: 'POOL_EXISTS',
  })
  expect(store.begun()).toBeUndefined()
})

test('the passphrase of a pool stands in no file in the clear', async () => {
  const store = site.files.join('node', 'pools.json')
  const key = site.files.join('node', 'pools.key')
  expect(statSync(store).mode & 0o777).toBe(0o600)
  expect(statSync(key).mode & 0o777).toBe(0o600)
  const known = new PoolStore({ directory: site.files.join('node'), random: systemRandom }).load()
  expect(known[0]!.passphrase).toMatch(/^([a-z0-9]{5}-){7}[a-z0-9]{5}$/)
  expect(readFileSync(store, 'utf8')).not.toContain(known[0]!.passphrase)
  writeFileSync(key, Buffer.alloc(32))
  await site.node.close()
  const opened = Node.open({ directory: site.files.join('node') })
  await expect(opened).rejects.toThrowError(code('SEALED_INVALID') as Error)
})

test('an order about a pool it does not know is refused', async () => {
  const asked = site.order('pool.gc', { poolId: 'pol_none', approve: false })
  await expect(asked).rejects.toThrowError(code('POOL_NOT_FOUND') as Error)
  const relative = site.order('pool.create', { bricks: ['pool'], redundancy: 'single' })
  await expect(relative).rejects.toThrowError(code('USAGE') as Error)
})

test('the same request twice makes one snapshot, also after a restart', async () => {
  const first = await site.capture(source)
  await site.restart()
  const again = await site.capture(source)
  expect(again.snapshotId).toBe(first.snapshotId)
  const next = await site.capture(source, { requestId: 'r2', parentSnapshotId: first.snapshotId })
  expect(next.snapshotId).not.toBe(first.snapshotId)
  expect(next.readBytes).toBe(0)
})

test('a pool whose log could not be written is opened again for the next order', async () => {
  const { pool } = await site.node.pool(site.poolId)
  pool.core.log.close('a log that fails, for this test')
  const { snapshotId } = await site.capture(source)
  expect((await site.node.pool(site.poolId)).snapshots.find(snapshotId)).toBeDefined()
})

test('a parent of another source is no parent', async () => {
  const { snapshotId } = await site.capture(source)
  const other = await site.capture(source, {
    sourceId: 'src_2',
    requestId: 'r2',
    parentSnapshotId: snapshotId,
  })
  expect(other.readBytes).toBe(3_000_012)
})

test('a point is listed, searched and read', async () => {
  const { snapshotId } = await site.capture(source)
  const place = { poolId: site.poolId, snapshotId }
  const first = await site.order('point.list', { ...place, path: '', after: null, limit: 1 })
  expect(first).toMatchObject({ entries: [{ name: 'big.bin', kind: 'file' }], more: true })
  const rest = await site.order('point.list', { ...place, path: '/', after: 'big.bin', limit: 9 })
  expect(rest).toMatchObject({ entries: [{ name: 'docs', kind: 'directory' }], more: false })
  const find = (pattern: string) =>
    site.order('point.find', {
      poolId: site.poolId,
      snapshotIds: [snapshotId],
      pattern,
      limit: 5,
    })
  expect((await find('READ')).found.map(({ path }) => path)).toEqual(['docs/readme.txt'])
  expect((await find('*.bin')).found.map(({ path }) => path)).toEqual(['big.bin'])
  expect((await find('/docs/*')).found.map(({ path }) => path)).toEqual(['docs/readme.txt'])
  const read = { ...place, path: 'big.bin', offset: 1_500_001, length: 1 << 20 }
  const { data, size } = await site.order('point.read', read)
  expect(size).toBe(3_000_000)
  const expected = readFileSync(`${source}/big.bin`).subarray(1_500_001, 1_500_001 + (1 << 20))
  expect(Buffer.from(data, 'base64').equals(expected)).toBe(true)
})

test('a locked snapshot is refused, the others go, and their space comes back', async () => {
  const kept = await site.capture(source)
  const gone = await site.capture(source, { requestId: 'r2' })
  const lockUntil = Date.now() + 3_600_000
  await site.order('pool.lock', { poolId: site.poolId, snapshotId: kept.snapshotId, lockUntil })
  const answer = await site.order('pool.delete', {
    poolId: site.poolId,
    snapshotIds: [kept.snapshotId, gone.snapshotId, 'snp_none'],
  })
  expect(answer).toEqual({
    deleted: [gone.snapshotId],
    refused: [
      { snapshotId: kept.snapshotId, code: 'SNAPSHOT_LOCKED' },
      { snapshotId: 'snp_none', code: 'SNAPSHOT_NOT_FOUND' },
    ],
  })
  const { snapshots } = await site.order('pool.snapshots', {
    poolId: site.poolId,
    after: null,
    limit: 9,
  })
  expect(snapshots[0]!.lockUntil).toBeGreaterThanOrEqual(lockUntil - 1000)
  await site.order('pool.gc', { poolId: site.poolId, approve: true })
  const check = { poolId: site.poolId, data: true, snapshotIds: [] }
  expect((await site.order('pool.check', check)).problems).toEqual([])
})

test('one snapshot is checked alone, with its data', async () => {
  const { snapshotId } = await site.capture(source)
  const check = { poolId: site.poolId, data: true, snapshotIds: [snapshotId] }
  const { problems, checkedBytes } = await site.order('pool.check', check)
  expect(problems).toEqual([])
  expect(checkedBytes).toBeGreaterThan(12)
})

test('the catalog is kept as a snapshot with its tag, and restored byte for byte', async () => {
  const file = site.files.join('catalog [1].db')
  writeFileSync(file, 'the catalog')
  writeFileSync(site.files.join('another'), 'not this')
  const { snapshotId, bytes } = await site.order('catalog.store', {
    poolId: site.poolId,
    path: file,
  })
  expect(bytes).toBe(11)
  const to = site.files.join('back')
  const params = ORDERS['point.restore'].params.parse({
    sourceId: 'src_1',
    snapshotId,
    kind: 'tree',
    paths: [],
    to,
    conflict: 'fail',
    dryRun: false,
    target: { kind: 'local', poolId: site.poolId },
    bytesPerSecond: null,
  })
  const { signal } = new AbortController()
  const restored = await site.local.restore(params, { signal, progress: () => undefined })
  expect(restored).toMatchObject({ files: 1, warningCount: 0 })
  expect(readFileSync(`${to}/catalog [1].db`, 'utf8')).toBe('the catalog')
})
