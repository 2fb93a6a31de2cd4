import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Params } from '@openmaas/protocols/channel/orders'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import { parseNbdAddress } from '@openmaas/protocols/nbd/listen-address'
import { makeData } from '@openmaas/testkit/data'
import { requires } from '@openmaas/testkit/requires'
import { Pki } from './data/pki.test-support.ts'
import { findServed } from './handlers/medium-handlers.ts'
import { MediumExports } from './medium-exports.ts'
import { NodeSite } from './node.test-support.ts'

/** Of which 400,000 pass at once: what comes from and to a pool of this process takes a second. */
const SIZE = 1_200_000
const RATE = 800_000
/** A clock that is read before and after may say a little less. */
const LEAST_MS = 950

let site: NodeSite
let source: string

beforeEach(async () => {
  site = await NodeSite.make()
  source = site.files.join('source')
  mkdirSync(source)
  writeFileSync(`${source}/data`, makeData('random', SIZE, 1))
})
afterEach(() => site[Symbol.asyncDispose]())

const millisecondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const beginMs = performance.now()
  await work()
  return performance.now() - beginMs
}
const restore = (snapshotId: string, to: string, more: Partial<Params<'point.restore'>>) => {
  const params = ORDERS['point.restore'].params.parse({
    sourceId: 'src_1',
    snapshotId,
    kind: 'tree',
    paths: [],
    to: site.files.join(to),
    conflict: 'fail',
    dryRun: false,
    target: { kind: 'local', poolId: site.poolId },
    bytesPerSecond: null,
    ...more,
  })
  return (signal = new AbortController().signal) =>
    site.local.restore(params, { signal, progress: () => undefined })
}

test('a capture and a restore in the node’s own process keep to the limit', async () => {
  let snapshotId = ''
  const captureMs = await millisecondsOf(async () => {
    snapshotId = (await site.capture(source, { bytesPerSecond: RATE })).snapshotId
  })
  expect(captureMs).toBeGreaterThan(LEAST_MS)
  const again = restore(snapshotId, 'back', { bytesPerSecond: RATE })
  expect(await millisecondsOf(() => again())).toBeGreaterThan(LEAST_MS)
  const back = readFileSync(site.files.join('back', 'data'))
  expect(back.equals(makeData('random', SIZE, 1))).toBe(true)
})

test('so do those of a disk', async () => {
  const image = `${source}/data`
  let snapshotId = ''
  const captureMs = await millisecondsOf(async () => {
    const wish = { kind: 'disk', bytesPerSecond: RATE } as const
    snapshotId = (await site.capture(image, wish)).snapshotId
  })
  expect(captureMs).toBeGreaterThan(LEAST_MS)
  const again = restore(snapshotId, 'back', { kind: 'volume', bytesPerSecond: RATE })
  expect(await millisecondsOf(() => again())).toBeGreaterThan(LEAST_MS)
})

/** In pieces of 64 KiB. */
const readAll = async (device: NbdClient, begin: number, length: number): Promise<void> => {
  const piece = Buffer.alloc(64 << 10)
  for (let at = 0; at < length; at += piece.length) {
    await device.read(begin + at, piece.subarray(0, Math.min(piece.length, length - at)))
  }
}

/** What a node serves with a limit. */
const serve = async (local: Params<'medium.serve'>['local']) => {
  const { snapshotId } = await site.capture(source)
  return site.order('medium.serve', {
    mediumId: 'mnt_slow',
    poolId: site.poolId,
    snapshotId,
    sourceName: 'source',
    readOnly: true,
    quotaBytes: null,
    bytesPerSecond: RATE,
    local,
  })
}
const withdraw = () =>
  site.order('medium.withdraw', { mediumId: 'mnt_slow', poolId: site.poolId, force: true })

requires({ paths: ['/dev/fuse', '/dev/loop-control'], root: true }, () => {
  test('a medium that is mounted where it is served keeps to the limit', async () => {
    const mountPath = site.files.join('mounted')
    await serve({ mountPath })
    try {
      let bytes = Buffer.alloc(0)
      const readMs = await millisecondsOf(() => {
        bytes = readFileSync(`${mountPath}/data`)
        return Promise.resolve()
      })
      expect(bytes.equals(makeData('random', SIZE, 1))).toBe(true)
      expect(readMs).toBeGreaterThan(LEAST_MS)
    } finally {
      await withdraw()
    }
  })
})

requires(['openssl'], () => {
  test('a medium that other hosts reach keeps to the limit in its engine', async () => {
    mkdirSync(site.files.join('pki'))
    const pki = new Pki(site.files.join('pki'))
    const tickets = { check: () => expect.unreachable('nobody connects to the node') }
    await using exports = new MediumExports({ node: site.node, tls: pki.node, tickets })
    site.exports = exports
    await serve(null)
    try {
      const served = findServed(await site.node.pool(site.poolId), 'mnt_slow')!
      const address = parseNbdAddress(served.record.attachment!.nbd!)
      await using device = await NbdClient.connect({ address, exportName: served.record.id })
      // Holes are answered without a look at what lies below, so they cost nothing.
      const extents = await device.blockStatus(0, device.size)
      const written = extents.filter(({ zero }) => !zero)
      expect(written.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(SIZE)
      const readMs = await millisecondsOf(async () => {
        for (const { offset, length } of written) await readAll(device, offset, length)
      })
      expect(readMs).toBeGreaterThan(LEAST_MS)
    } finally {
      await withdraw()
    }
  })
})

test('whoever waits for a turn hears that the order was cancelled', async () => {
  const { snapshotId } = await site.capture(source, { requestId: 'whole' })
  // A hundred minutes, to whom nobody listens.
  const bytesPerSecond = 200
  const cancelled = { code: 'CANCELLED' }
  const change = makeData('random', SIZE, 2)
  writeFileSync(`${source}/data`, change)
  const capture = site.capture(source, { bytesPerSecond }, AbortSignal.timeout(300))
  await expect(capture).rejects.toMatchObject(cancelled)
  const image = { kind: 'disk', requestId: 'disk', bytesPerSecond } as const
  const disk = site.capture(`${source}/data`, image, AbortSignal.timeout(300))
  await expect(disk).rejects.toMatchObject(cancelled)
  const slow = restore(snapshotId, 'back', { bytesPerSecond })
  await expect(slow(AbortSignal.timeout(300))).rejects.toMatchObject(cancelled)
})
