/** A backup over a damaged parent must hold everything itself. */
import { closeSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '@openmaas/kernel/clock'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { posixAvailable } from '@openmaas/kernel/posix/library'
import { systemRandom } from '@openmaas/kernel/random'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { readFooter } from '@openmaas/pool/pack/scan'
import { Pool } from '@openmaas/pool/pool/pool'
import { visitTree } from '@openmaas/pool/tree/visit'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { makePool } from '../test-site.ts'
import { captureTree } from './capture-tree.ts'

/** Flips a byte of every record of the pool's metadata packs. */
function damageMetadata(pool: Pool, brick: string, manifests: boolean): void {
  for (const { kind, packId } of pool.core.state.livePacks()) {
    if (kind !== 'metadata') continue
    const file = path.join(brick, 'packs', packId.slice(0, 2), packId)
    const { records } = readFooter(new NodeFs(), file)
    const fd = openSync(file, 'r+')
    const byte = Buffer.alloc(1)
    for (const { offset, type } of records) {
      if (type === ChunkType.manifest && !manifests) continue
      readSync(fd, byte, 0, 1, offset + 60)
      writeSync(fd, Buffer.from([byte[0]! ^ 1]), 0, 1, offset + 60)
    }
    closeSync(fd)
  }
}

test.skipIf(!posixAvailable()).each([
  ['the parent', false],
  ['the parent and its manifest', true],
])('what %s has lost is stored again', async (_what, manifests) => {
  using site = new TemporaryDirectory()
  const [brick, source] = [site.join('pool'), site.join('source')]
  for (const name of ['a', 'b', 'c']) {
    mkdirSync(path.join(source, name), { recursive: true })
    writeFileSync(path.join(source, name, 'file'), name)
  }
  const before = await makePool(brick)
  await captureTree({ pool: before, path: source, name: 't', lanes: 1 })
  await before.close()
  damageMetadata(before, brick, manifests)
  const deps = { fs: new NodeFs(), clock: systemClock, random: systemRandom }
  const unlock = { masterKey: before.masterKey }
  const open = () => Pool.open({ path: brick, unlock, tuning: { reserveBytes: 0 }, ...deps })
  const damaged = await open()
  const { snapshot } = await captureTree({ pool: damaged, path: source, name: 't', lanes: 1 })
  await damaged.close()
  await using pool = await open()
  const root = Buffer.from(snapshot.root, 'hex')
  const visitor = { enter: () => true, leaf: (id: Buffer) => void pool.chunks.read(id) }
  expect(visitTree(pool.chunks, root, visitor).chunkCount).toBe(snapshot.chunkCount)
})
