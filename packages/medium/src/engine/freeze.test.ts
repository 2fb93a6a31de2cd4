import { expect, test } from 'vitest'
import { systemClock } from '@openmaas/kernel/clock'
import { makeLayerId, makeMediumId, makeSnapshotId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { loadMedium, type MediumRecord, saveMedium } from '../media/record.ts'
import { LAYERS_MAX } from '../overlay/layer-map.ts'
import { freezeTop } from './freeze.ts'

test('no layer is put on a medium that no engine could serve afterwards', () => {
  using site = new TemporaryDirectory()
  const fs = new NodeFs()
  const id = makeMediumId(systemClock, systemRandom)
  const layers = (count: number) =>
    Array.from({ length: count }, () => makeLayerId(systemClock, systemRandom))
  const record: MediumRecord = {
    version: 1,
    id,
    snapshotId: makeSnapshotId(systemClock, systemRandom),
    sourceName: 's',
    readOnly: false,
    createdAt: new Date(0).toISOString(),
    state: 'plugged',
    layers: layers(LAYERS_MAX - 1),
  }
  saveMedium(fs, site.path, record)
  const deep = freezeTop(fs, site.path, record)
  expect(deep.layers.length).toBe(LAYERS_MAX)
  const tooDeep = expect.objectContaining({ code: 'MEDIUM_TOO_DEEP' })
  expect(() => freezeTop(fs, site.path, deep)).toThrowError(tooDeep)
  expect(loadMedium(fs, site.path, id)).toEqual(deep)
})
