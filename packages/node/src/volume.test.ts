/** Volumes by orders: made, served, frozen, sealed, stood on their points, grown. No root needed. */
import { mkdirSync, readdirSync } from 'node:fs'
import process from 'node:process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { readStatus } from '@openmaas/medium/engine/status'
import {
  listMedia,
  loadMedium,
  mediumDirectory,
  type MediumRecord,
} from '@openmaas/medium/media/record'
import { openSnapshot } from '@openmaas/medium/stack/build-stack'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import { parseNbdAddress } from '@openmaas/protocols/nbd/listen-address'
import { waitFor } from '@openmaas/testkit/wait-for'
import { requires } from '@openmaas/testkit/requires'
import { Pki } from './data/pki.test-support.ts'
import { MediumExports } from './medium-exports.ts'
import { NodeSite } from './node.test-support.ts'

const refused = (code: string): Error => expect.objectContaining({ code }) as Error
const MEDIUM = 'vol_1'
const SIZE = 64 * 65_536

requires({ programs: ['openssl'] }, () => {
  let site: NodeSite
  let client: NbdClient
  let model: Buffer
  const random = new SeededRandom(7)

  const record = (): MediumRecord => {
    const brick = site.files.join('pool')
    const [id] = listMedia(new NodeFs(), brick)
    return loadMedium(new NodeFs(), brick, id!)
  }
  const layers = (): string[] => readdirSync(site.files.join('pool/media/layers')).toSorted()
  const connect = (): Promise<NbdClient> =>
    NbdClient.connect({
      address: parseNbdAddress(record().attachment!.nbd!),
      exportName: record().id,
    })
  const write = async (offset: number, length: number): Promise<void> => {
    const bytes = random.bytes(length)
    await client.write(offset, bytes)
    bytes.copy(model, offset)
  }
  const freeze = (requestId: string) =>
    site.order('medium.freeze', { mediumId: MEDIUM, poolId: site.poolId, requestId })
  const sealOrder = (requestId: string, rebase: boolean) => ({
    mediumId: MEDIUM,
    poolId: site.poolId,
    requestId,
    sourceName: 'db',
    tags: { purpose: 'test' },
    lockUntil: null,
    rebase,
  })
  const seal = (requestId: string, rebase = true) =>
    site.order('medium.seal', sealOrder(requestId, rebase))
  const contentOf = async (snapshotId: string): Promise<Buffer> => {
    const { pool } = await site.node.pool(site.poolId)
    const row = pool.snapshots().find(({ id }) => id === snapshotId)!
    const device = openSnapshot(pool.chunks, { kind: row.kind, root: row.root })
    const bytes = Buffer.alloc(device.size)
    device.read(0, bytes)
    return bytes
  }
  const readAll = async (): Promise<Buffer> => {
    const bytes = Buffer.alloc(client.size)
    await client.read(0, bytes)
    return bytes
  }
  const expectSame = (got: Buffer, expected: Buffer): void => {
    expect(got.length).toBe(expected.length)
    expect(got.equals(expected)).toBe(true)
  }

  beforeEach(async () => {
    site = await NodeSite.make()
    mkdirSync(site.files.join('pki'))
    const tickets = { check: () => expect.unreachable('no host comes') }
    const tls = new Pki(site.files.join('pki')).node
    site.exports = new MediumExports({ node: site.node, tls, tickets })
    const params = { poolId: site.poolId, requestId: 'make', sourceName: 'db', sizeBytes: SIZE - 5 }
    const { snapshotId } = await site.order('volume.create', params)
    expect((await site.order('volume.create', params)).snapshotId).toBe(snapshotId)
    await site.order('medium.serve', {
      mediumId: MEDIUM,
      poolId: site.poolId,
      snapshotId,
      sourceName: 'db',
      readOnly: false,
      quotaBytes: null,
      bytesPerSecond: null,
      local: null,
    })
    client = await connect()
    model = Buffer.alloc(SIZE)
    expect(client.size).toBe(SIZE)
  }, 120_000)
  afterEach(async () => {
    await client.close()
    const order = { mediumId: MEDIUM, poolId: site.poolId, force: true }
    await site.order('medium.withdraw', order)
    await site[Symbol.asyncDispose]()
  }, 120_000)

  test('a frozen moment is sealed as it was, and the medium goes on upon it', async () => {
    await write(5000, 300_000)
    const { frozenAt } = await freeze('one')
    expect((await freeze('one')).frozenAt).toBe(frozenAt)
    const first = Buffer.from(model)
    await write(100_000, 70_000)
    await client.trim(0, 65_536)
    model.fill(0, 0, 65_536)
    const sealed = await seal('one')
    expect(sealed).toMatchObject({ kind: 'volume', takenAt: frozenAt, sizeBytes: SIZE })
    expectSame(await contentOf(sealed.snapshotId), first)
    expectSame(await readAll(), model)
    expect(record()).toMatchObject({ snapshotId: sealed.snapshotId })
    expect(record().freezes).toBeUndefined()
    expect(layers()).toEqual(record().layers)
    expect(layers().length).toBe(1)
    // Again is the same point, and reads nothing.
    expect(await seal('one')).toMatchObject({ snapshotId: sealed.snapshotId, readBytes: 0 })
    expect((await freeze('one')).frozenAt).toBe(frozenAt)
    await freeze('two')
    const second = await seal('two')
    expectSame(await contentOf(second.snapshotId), model)
    // Of the second only what was written since, in whole grains, and the hole not at all.
    expect(second.readBytes).toBeLessThan(4 * 65_536)
    expectSame(await readAll(), model)
  }, 120_000)

  test('what was frozen earlier is sealed from what it stood on, and later from the new point', async () => {
    await write(0, 200_000)
    await freeze('one')
    const first = Buffer.from(model)
    await write(150_000, 200_000)
    await freeze('two')
    const second = Buffer.from(model)
    await write(300_000, 200_000)
    await freeze('three')
    const third = Buffer.from(model)
    await write(10, 20)
    const two = await seal('two')
    expectSame(await contentOf(two.snapshotId), second)
    const one = await seal('one')
    expectSame(await contentOf(one.snapshotId), first)
    expect(record().snapshotId).toBe(two.snapshotId)
    const three = await seal('three', false)
    expectSame(await contentOf(three.snapshotId), third)
    expect(record().snapshotId).toBe(two.snapshotId)
    expectSame(await readAll(), model)
    await expect(seal('never')).rejects.toThrowError(refused('FREEZE_NOT_FOUND'))
    await freeze('four')
    await seal('four')
    expect(layers()).toEqual(record().layers)
    expectSame(await readAll(), model)
  }, 120_000)

  test('the point below may be deleted and collected: the medium and its seals go on', async () => {
    await write(0, 500_000)
    await freeze('one')
    const one = await seal('one')
    await write(100, 100)
    await freeze('two')
    const { pool } = await site.node.pool(site.poolId)
    for (const { id } of pool.snapshots()) await pool.deleteSnapshot(id)
    await site.order('pool.gc', { poolId: site.poolId, approve: true })
    const two = await seal('two')
    expectSame(await contentOf(two.snapshotId), model)
    expect(pool.core.state.pins.get(record().id)?.snapshots).toEqual([two.snapshotId])
    expect(pool.snapshots().map(({ id }) => id)).toEqual([two.snapshotId])
    expect(one.snapshotId).not.toBe(two.snapshotId)
    expectSame(await readAll(), model)
  }, 120_000)

  test('it grows while it is used, and so do its points', async () => {
    await write(SIZE - 4096, 4096)
    const grow = (sizeBytes: number) =>
      site.order('medium.grow', { mediumId: MEDIUM, poolId: site.poolId, sizeBytes })
    expect(await grow(3 * SIZE - 1)).toEqual({ sizeBytes: 3 * SIZE })
    expect(await grow(3 * SIZE)).toEqual({ sizeBytes: 3 * SIZE })
    await expect(grow(SIZE)).rejects.toThrowError(refused('USAGE'))
    expectSame(await readAll(), model) // Whoever was connected sees the old size.
    await client.close()
    client = await connect()
    model = Buffer.concat([model, Buffer.alloc(2 * SIZE)])
    await write(SIZE - 100, 70_000)
    await write(3 * SIZE - 10, 10)
    expectSame(await readAll(), model)
    await freeze('one')
    const one = await seal('one')
    expect(one.sizeBytes).toBe(3 * SIZE)
    expectSame(await contentOf(one.snapshotId), model)
    expectSame(await readAll(), model)
  }, 120_000)

  test('after a kill of the engine or the node everything is found again', async () => {
    await write(0, 300_000)
    await freeze('one')
    const first = Buffer.from(model)
    await write(100_000, 300_000)
    const directory = mediumDirectory(site.files.join('pool'), record().id)
    process.kill(readStatus(directory)!.pid, 'SIGKILL')
    expectSame(await readAll(), model)
    await site.exports!.close()
    await site.restart()
    const one = await seal('one')
    process.kill(readStatus(directory)!.pid, 'SIGKILL')
    expectSame(await contentOf(one.snapshotId), first)
    expectSame(await readAll(), model)
    expect(layers()).toEqual(record().layers)
  }, 120_000)

  test('a seal that is cancelled leaves nothing, and can be asked for again', async () => {
    await write(0, SIZE)
    await freeze('one')
    const { pool } = await site.node.pool(site.poolId)
    const before = pool.snapshots().length
    const early = site.order('medium.seal', sealOrder('one', true), AbortSignal.abort())
    await expect(early).rejects.toThrowError(refused('CANCELLED'))
    const cancel = new AbortController()
    const underWay = site.order('medium.seal', sealOrder('one', true), cancel.signal)
    await waitFor('it is under way', () => pool.core.sessions.size > 0)
    cancel.abort()
    await expect(underWay).rejects.toThrowError(refused('CANCELLED'))
    await waitFor('nothing is left', () => pool.core.sessions.size === 0)
    expect(pool.snapshots().length).toBe(before)
    expect(pool.core.sessions.size).toBe(0)
    const one = await seal('one')
    expectSame(await contentOf(one.snapshotId), model)
  }, 120_000)
})
