import { renameSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { makePool } from '../test-site.ts'
import { captureVolume } from './capture-volume.ts'

test('an image that is replaced before all lanes have opened it makes no point', async () => {
  using site = new TemporaryDirectory()
  await using pool = await makePool(site.join('pool'))
  const path = site.join('disk.img')
  writeFileSync(path, Buffer.alloc(1 << 20, 1))
  writeFileSync(site.join('next.img'), Buffer.alloc(1 << 20, 2))
  const openSession = pool.openSession.bind(pool)
  // The image is open then, and the lanes are not started yet.
  pool.openSession = (options) => {
    renameSync(site.join('next.img'), path)
    return openSession(options)
  }
  const run = captureVolume({ pool, path, name: 'disk', lanes: 1 })
  await expect(run).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' })
  expect(pool.snapshots()).toEqual([])
})
