import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '@openmaas/kernel/clock'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { FLAT_VISITORS, putFlat } from '@openmaas/pool/pool/flat-snapshot.test-support'
import { PoolOwnerSocket, requestOwner, withPinOwner } from './owner-socket.ts'
import { Pool } from '@openmaas/pool/pool/pool'

const deps = { fs: new NodeFs(), clock: systemClock, random: systemRandom }
const tuning = { reserveBytes: 0, visitors: FLAT_VISITORS }
const sites: TemporaryDirectory[] = []
afterEach(() => {
  for (const site of sites.splice(0)) site.dispose()
})

async function makeOwner(depth = 0): Promise<{ pool: Pool; path: string; masterKey: Buffer }> {
  const site = new TemporaryDirectory()
  sites.push(site)
  const path = site.join(...Array.from({ length: depth }, () => 'a-long-name'.repeat(6)), 'pool')
  const options = { bricks: [path], redundancy: 'single' as const, passphrase: 'p', ...deps }
  const { masterKey } = await Pool.create(options)
  const pool = await Pool.open({ path, unlock: { masterKey }, tuning, ...deps })
  return { pool, path, masterKey }
}

describe('the owner socket', () => {
  test.each([0, 3])('pins and unpins for another process, path depth %i', async (depth) => {
    const { pool, path, masterKey } = await makeOwner(depth)
    const session = pool.openSession()
    const row = await session.commit(putFlat(session.inlineLane(), [Buffer.from('x')]).manifest)
    const socket = await PoolOwnerSocket.listen(pool)
    const options = { path, masterKey, tuning, ...deps }
    await withPinOwner(options, (owner) =>
      owner.pin({ id: 'medium-1', kind: 'medium', snapshots: [row.id] }),
    )
    expect([...pool.core.state.pins.keys()]).toEqual(['medium-1'])
    await withPinOwner(options, (owner) => owner.unpin('medium-1'))
    expect(pool.core.state.pins.size).toBe(0)
    await socket[Symbol.asyncDispose]()
    await pool.close()
    // Nobody owns the pool now: the asker becomes the owner for a moment.
    await withPinOwner(options, (owner) =>
      owner.pin({ id: 'medium-2', kind: 'medium', snapshots: [row.id] }),
    )
    const again = await Pool.open({ path, unlock: { masterKey }, tuning, ...deps })
    expect([...again.core.state.pins.keys()]).toEqual(['medium-2'])
    await again.close()
  })

  test('tells the asker what the owner refused', async () => {
    const { pool, path } = await makeOwner()
    const socket = await PoolOwnerSocket.listen(pool)
    const snapshots = ['snp_01M81X20H9JSY8WN76DYCGYVXS' as never]
    await expect(
      requestOwner(path, pool.core.keys.socketKey, {
        op: 'pin',
        pin: { id: 'p', kind: 'reader', snapshots },
      }),
    ).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
    await expect(
      requestOwner(path, Buffer.alloc(32), { op: 'unpin', id: 'p' }),
    ).rejects.toMatchObject({ code: 'POOL_PASSPHRASE_WRONG' })
    await socket[Symbol.asyncDispose]()
    await pool.close()
  })

  test('an owner that does not serve the socket is busy', async () => {
    const { pool, path } = await makeOwner()
    await expect(
      requestOwner(path, pool.core.keys.socketKey, { op: 'unpin', id: 'p' }),
    ).rejects.toMatchObject({ code: 'POOL_BUSY' })
    await pool.close()
  })
})
