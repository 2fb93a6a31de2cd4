import { mkdirSync, symlinkSync } from 'node:fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { poolPatterns, refusePoolAsTarget } from './own-directories.ts'

test('a pool below the source is left out, by a pattern that means nothing else', () => {
  using site = new TemporaryDirectory()
  mkdirSync(site.join('data/pool [1]/sub'), { recursive: true })
  symlinkSync('data', site.join('link'))
  const bricks = [site.join('data/pool [1]')]
  const pattern = String.raw`/pool \[1]`
  expect(poolPatterns(site.join('data'), bricks)).toEqual([pattern])
  expect(poolPatterns(site.join('link'), bricks)).toEqual([pattern])
  expect(poolPatterns(site.join('data/pool'), bricks)).toEqual([])
  expect(poolPatterns('/', ['/backup/pool'])).toEqual(['/backup/pool'])
})

test('the pool itself is no source and no target', () => {
  using site = new TemporaryDirectory()
  mkdirSync(site.join('pool/packs'), { recursive: true })
  const bricks = [site.join('pool')]
  for (const inside of ['pool', 'pool/packs', 'pool/to/be/made']) {
    expect(() => poolPatterns(site.join(inside), bricks)).toThrowError(
      expect.objectContaining({ code: 'SOURCE_UNSUPPORTED' }) as Error,
    )
    expect(() => refusePoolAsTarget(site.join(inside), bricks)).toThrowError(
      expect.objectContaining({ code: 'RESTORE_CONFLICT' }) as Error,
    )
  }
  refusePoolAsTarget(site.join('pool2'), bricks)
  refusePoolAsTarget(site.path, bricks)
})
