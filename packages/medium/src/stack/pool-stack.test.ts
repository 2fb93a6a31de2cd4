/** The stack over a real pool on real files: from a volume to a point sealed from it and back. */
import { systemClock } from '@openmaas/kernel/clock'
import type { LayerId, SnapshotId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { SeededRandom, systemRandom } from '@openmaas/kernel/random'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { ChunkSink } from '@openmaas/pool/chunk/chunk'
import { Pool } from '@openmaas/pool/pool/pool'
import { PoolReader } from '@openmaas/pool/pool/reader'
import { VolumeBuilder } from '@openmaas/pool/volume/builder'
import { volumeManifest } from '@openmaas/pool/volume/manifest'
import type { VolumeRoot } from '@openmaas/pool/volume/root'
import { visitVolume } from '@openmaas/pool/volume/visit'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { mediaDirectory } from '../media/record.ts'
import { LayerStore } from '../overlay/layer-store.ts'
import { DeviceStack } from './device-stack.ts'
import { prepareStack } from './prepare-stack.ts'
import { sealMedium } from './seal-medium.ts'

const fs = new NodeFs()
const unlock = { passphrase: 'correct horse' }
const SIZE = 3 * 1024 * 1024 + 512
const LAYERS = ['lay_00000000000000000000000001', 'lay_00000000000000000000000002'] as LayerId[]

type Made = { readonly id: Buffer; readonly root: VolumeRoot }

/** Writes a volume by `make` and commits it. */
async function commit(
  brick: string,
  parent: SnapshotId | undefined,
  make: (sink: ChunkSink) => Made,
): Promise<SnapshotId> {
  const deps = { fs, clock: systemClock, random: systemRandom }
  const reader = await PoolReader.open({ path: brick, unlock, fs })
  const pool = await Pool.open({ path: brick, unlock, ...deps, tuning: { reserveBytes: 0 } })
  const session = pool.openSession(parent === undefined ? {} : { parent })
  const { id, root } = make(session.inlineLane())
  const row = await session.commit({
    source: { name: 'disk', host: 'here', path: '/dev/disk' },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:01.000Z',
    root: id.toString('hex'),
    status: 'complete',
    ...volumeManifest(reader.chunks, root),
  })
  await pool.close()
  reader.close()
  return row.id
}

test('a volume is plugged, written, brought back, sealed and plugged again', async () => {
  using site = new TemporaryDirectory()
  const brick = site.join('brick')
  const deps = { fs, clock: systemClock, random: systemRandom }
  await Pool.create({ bricks: [brick], redundancy: 'single', ...unlock, ...deps })
  const random = new SeededRandom(4)
  const model = Buffer.concat([random.bytes(SIZE / 2), Buffer.alloc(SIZE - SIZE / 2)])
  const snapshotId = await commit(brick, undefined, (sink) => {
    const builder = new VolumeBuilder(sink, { size: SIZE })
    for (let at = 0; at < SIZE; at += 65536) {
      builder.put(at / 65536, model.subarray(at, Math.min(at + 65536, SIZE)))
    }
    return builder.finish()
  })

  for (let round = 1; round <= 2; round += 1) {
    const reader = await PoolReader.open({ path: brick, unlock, fs })
    const record = { snapshotId, readOnly: false, layers: LAYERS.slice(0, round) }
    const prepared = prepareStack({ fs, brick, reader, record })
    const thread = DeviceStack.open(prepared.handoff, { fs })
    const bytes = random.bytes(10_000)
    thread.write(round * 200_000 + 77, bytes)
    bytes.copy(model, round * 200_000 + 77)
    thread.close()
    expect(prepared.overlayBytes()).toBe(4 * 4096)
    if (round === 1) prepared.flush()
    prepared.close()
    reader.close()
  }

  const reader = await PoolReader.open({ path: brick, unlock, fs })
  const row = reader.snapshots().find(({ id }) => id === snapshotId)!
  const store = new LayerStore(fs, mediaDirectory(brick))
  for (const id of LAYERS) store.freeze(id, bootId())
  const sealedId = await commit(brick, snapshotId, (sink) =>
    sealMedium(sink, {
      fs,
      source: reader.chunks,
      snapshot: { kind: 'volume', root: row.root },
      directories: LAYERS.map((id) => store.pathOf(id)),
      size: SIZE,
    }),
  )
  reader.close()
  expect(store.release(LAYERS, new Set())).toEqual(LAYERS)

  const again = await PoolReader.open({ path: brick, unlock, fs })
  const sealedRow = again.snapshots().find(({ id }) => id === sealedId)!
  const visitor = { enter: () => true, leaf: () => {} }
  const root = Buffer.from(sealedRow.root, 'hex')
  expect(visitVolume(again.chunks, root, visitor).chunkCount).toBe(sealedRow.chunkCount)
  const record = { snapshotId: sealedId, readOnly: true, layers: [] }
  const prepared = prepareStack({ fs, brick, reader: again, record })
  const device = DeviceStack.open(prepared.handoff, { fs })
  const got = Buffer.alloc(SIZE)
  device.read(0, got)
  expect(got.equals(model)).toBe(true)
  expect(device.readOnly).toBe(true)
  device.close()
  prepared.close()
  again.close()
})
