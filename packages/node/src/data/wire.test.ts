import {
  appendFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { settle } from '@openmaas/testkit/settle'
import { packPath } from '@openmaas/pool/pack/path'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { diffTrees } from '@openmaas/pool/tree/diff'
import { requires } from '@openmaas/testkit/requires'
import { describeTree } from './describe-tree.test-support.ts'
import { DataSite } from './data-site.test-support.ts'

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error

requires(['openssl'], () => {
  let site: DataSite
  let source: string

  beforeEach(async () => {
    site = await DataSite.make()
    source = site.site.files.join('source')
    mkdirSync(`${source}/a/b`, { recursive: true })
    for (let i = 0; i < 60; i += 1) writeFileSync(`${source}/a/b/file${i}`, `content ${i}`)
    writeFileSync(`${source}/big`, Buffer.from('0123456789abcdef'.repeat(300_000)))
    symlinkSync('a/b', `${source}/link`)
    linkSync(`${source}/a/b/file1`, `${source}/a/hard`)
    await settle()
  })
  afterEach(() => site[Symbol.asyncDispose]())

  const treeOf = async (snapshotId: string): Promise<TreeReader> => {
    const { pool, snapshots } = await site.site.node.pool(site.site.poolId)
    return new TreeReader(pool.chunks, Buffer.from(snapshots.find(snapshotId)!.row.root, 'hex'))
  }

  test('what comes over the wire is what a local capture makes, byte for byte', async () => {
    const remote = await site.capture(source)
    const local = await site.site.capture(source, { sourceId: 'src_2', requestId: 'r2' })
    const [a, b] = [await treeOf(remote.snapshotId), await treeOf(local.snapshotId)]
    expect([...diffTrees(a, b)]).toEqual([])
    expect(a.weights).toEqual(b.weights)
    expect(remote).toMatchObject({ sizeBytes: local.sizeBytes, itemCount: local.itemCount })
    // Every chunk was there already: what is kept once is kept once, whoever sends it.
    expect(local.addedBytes).toBe(0)
    const check = { poolId: site.site.poolId, data: true, snapshotIds: [] }
    expect((await site.site.order('pool.check', check)).problems).toEqual([])
  })

  test('an unchanged source is neither read nor sent', async () => {
    const first = await site.capture(source)
    const more = { requestId: 'r2', parentSnapshotId: first.snapshotId }
    const second = await site.capture(source, more)
    expect(second.readBytes).toBe(0)
    expect(second.addedBytes).toBeLessThan(2000)
    const [a, b] = [await treeOf(first.snapshotId), await treeOf(second.snapshotId)]
    expect([...diffTrees(a, b)]).toEqual([])
  })

  test('of a changed file only what is new is sent', async () => {
    const first = await site.capture(source)
    appendFileSync(`${source}/big`, 'more')
    const params = { requestId: 'r2', parentSnapshotId: first.snapshotId }
    const second = await site.capture(source, params)
    expect(second.readBytes).toBe(4_800_004)
    const tree = await treeOf(second.snapshotId)
    expect(tree.lookup(Buffer.from('big'))!.size).toBe(4_800_004)
    const { pool } = await site.site.node.pool(site.site.poolId)
    const { summary } = pool.manifest(pool.snapshots().at(-1)!)
    expect(summary['newBytes']).toBeLessThan(1_500_000)
  })

  test('the same request twice makes one snapshot', async () => {
    const first = await site.capture(source)
    writeFileSync(`${source}/later`, 'x')
    expect((await site.capture(source)).snapshotId).toBe(first.snapshotId)
    const { pool } = await site.site.node.pool(site.site.poolId)
    expect(pool.snapshots().length).toBe(1)
  })

  test('damage in the parent does not stop the capture that heals it', async () => {
    const first = await site.capture(source)
    const { pool } = await site.site.node.pool(site.site.poolId)
    for (const { kind, packId } of pool.core.state.livePacks()) {
      if (kind !== 'metadata') continue
      const file = packPath(site.site.files.join('pool'), Buffer.from(packId, 'hex'))
      const bytes = readFileSync(file)
      writeFileSync(file, bytes.fill(0x55, 200, 300))
    }
    const params = { requestId: 'r2', parentSnapshotId: first.snapshotId }
    const second = await site.capture(source, params)
    const snapshotIds = [second.snapshotId]
    const check = { poolId: site.site.poolId, data: true, snapshotIds }
    expect((await site.site.order('pool.check', check)).problems).toEqual([])
  })

  test('an image goes over the wire, and again with one changed block', async () => {
    const image = site.site.files.join('image')
    const bytes = Buffer.alloc(130 << 20)
    for (let at = 0; at < bytes.length; at += 65_536) bytes.writeUInt32LE(at, at + 100)
    bytes.fill(0, 70 << 20, 90 << 20)
    writeFileSync(image, bytes)
    const first = await site.capture(image, { kind: 'disk' })
    expect(first).toMatchObject({ kind: 'volume', sizeBytes: bytes.length })
    const file = openSync(image, 'r+')
    writeSync(file, 'changed', 12_345_678)
    const params = { kind: 'disk', requestId: 'r2', parentSnapshotId: first.snapshotId } as const
    const second = await site.capture(image, params)
    const local = await site.site.capture(image, { kind: 'disk', requestId: 'r3' })
    const { pool, snapshots } = await site.site.node.pool(site.site.poolId)
    const rootOf = (id: string) => snapshots.find(id)!.row.root
    expect(rootOf(second.snapshotId)).toBe(rootOf(local.snapshotId))
    expect(rootOf(second.snapshotId)).not.toBe(rootOf(first.snapshotId))
    const { summary } = pool.manifest(snapshots.find(second.snapshotId)!.row)
    expect(summary['newBytes']).toBeLessThan(200_000)
  })

  test('a capture that is cancelled leaves nothing, and the next one is whole', async () => {
    const abort = new AbortController()
    const capture = site.capture(source, { bytesPerSecond: 200_000 }, abort.signal)
    setTimeout(() => abort.abort(), 1000)
    await expect(capture).rejects.toThrowError(code('CANCELLED'))
    const { pool } = await site.site.node.pool(site.site.poolId)
    expect(pool.snapshots()).toEqual([])
    await site.capture(source)
    expect(pool.snapshots().length).toBe(1)
  })

  test('a node that goes away ends the capture with a clean error', async () => {
    const capture = site.capture(source, { bytesPerSecond: 200_000 })
    setTimeout(() => void site.server.close(), 1000)
    await expect(capture).rejects.toThrowError(code('DATA_UNREACHABLE'))
    await site.listen()
    const { snapshotId } = await site.capture(source)
    const file = (await treeOf(snapshotId)).lookup(Buffer.from('a/hard'))
    expect(file).toBeDefined()
    expect(readFileSync(`${source}/a/hard`, 'utf8')).toBe('content 1')
  })

  test('what was captured over the wire is restored over it, whole and in parts', async () => {
    const { snapshotId } = await site.capture(source)
    const to = site.site.files.join('back')
    const restored = await site.restore(snapshotId, to)
    expect(restored).toMatchObject({ files: 62, warningCount: 0 })
    expect(describeTree(to)).toEqual(describeTree(source))
    const part = site.site.files.join('part')
    await site.restore(snapshotId, part, { paths: ['a/b/file7', 'big'] })
    expect(readFileSync(`${part}/file7`, 'utf8')).toBe('content 7')
    expect(readFileSync(`${part}/big`).equals(readFileSync(`${source}/big`))).toBe(true)
    const missing = site.restore(snapshotId, part, { paths: ['nothing'] })
    await expect(missing).rejects.toThrowError(code('RESTORE_NOT_IN_POINT'))
    // Again: what is there already is left alone.
    expect(await site.restore(snapshotId, to)).toMatchObject({ warningCount: 0 })
  })

  test('an image is restored over the wire', async () => {
    const image = site.site.files.join('image')
    const bytes = Buffer.alloc(70 << 20)
    for (let at = 0; at < bytes.length; at += 65_536) bytes.writeUInt32LE(at, at + 100)
    bytes.fill(0, 20 << 20, 40 << 20)
    writeFileSync(image, bytes)
    const { snapshotId } = await site.capture(image, { kind: 'disk' })
    const to = site.site.files.join('back')
    await site.restore(snapshotId, to, { kind: 'volume' })
    expect(readFileSync(`${to}/image`).equals(bytes)).toBe(true)
  })

  test('a ticket restores the snapshots it names and no other', async () => {
    const first = await site.capture(source)
    const second = await site.capture(source, { requestId: 'r2' })
    const to = site.site.files.join('back')
    const { poolId } = site.site
    const address = `127.0.0.1:${site.port}`
    const ticket = site.pki.ticket({
      poolId,
      purpose: 'restore',
      snapshotIds: [first.snapshotId],
    })
    const { fingerprint } = site.pki
    const target = { kind: 'node' as const, poolId, address, fingerprint, ticket, channels: 1 }
    const other = site.restore(second.snapshotId, to, { target })
    await expect(other).rejects.toThrowError(code('TICKET_INVALID'))
  })

  test('a node with another certificate than the named one is told nothing', async () => {
    const params = site.captureParams(source)
    const target = { ...params.target, fingerprint: `sha256:${'00'.repeat(32)}` }
    const capture = site.capture(source, { target } as never)
    await expect(capture).rejects.toThrowError(code('SERVER_NOT_TRUSTED'))
    expect(site.server.sessionCount).toBe(0)
  })
})
