/** `openmaas pool status` */
import { NodeFs } from '@openmaas/kernel/node-fs'
import { formatBytes } from '@openmaas/kernel/units'
import { formatTable } from '../format/table.ts'
import { pointSize } from '../format/point.ts'
import { listPoints, openReader } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

/** Below it there is nothing to be proud of: a small pool is mostly padding. */
const RATIO_SHOWN_MIN = 1.1

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0)

export async function run(_input: Input, site: Site): Promise<void> {
  const reader = await openReader(site)
  const { state, superblock, brickPaths, missingBricks } = reader
  const fs = new NodeFs()
  const bricks = brickPaths.map((path, index) => {
    const isMissing = missingBricks.includes(index)
    return { path, missing: isMissing, freeBytes: isMissing ? null : fs.freeBytes(path) }
  })
  const points = listPoints(reader)
  const stored = state.livePacks()
  const condemned = state.condemnedPacks()
  const status = {
    poolId: superblock.poolId,
    redundancy: superblock.redundancy,
    createdAt: superblock.createdAt,
    bricks,
    points: points.length,
    /** Bytes of all points together, as if each were a copy. */
    pointBytes: sum(points.map((point) => pointSize(point))),
    packs: stored.length,
    /** One copy of each pack. */
    packBytes: sum(stored.map((pack) => pack.size)),
    /** Copies and all, as the disks see it. */
    diskBytes: sum([...stored, ...condemned].map((pack) => pack.size * pack.bricks.length)),
    condemnedBytes: sum(condemned.map((pack) => pack.size)),
    pins: state.pins.size,
    ownerEpoch: state.ownerEpoch,
    logSequence: state.sequence,
  }
  if (site.out.json) site.out.value(status)
  else show(status, site)
}

function show(
  status: {
    poolId: string
    redundancy: string
    bricks: { path: string; missing: boolean; freeBytes: number | null }[]
    points: number
    pointBytes: number
    packs: number
    packBytes: number
    diskBytes: number
    condemnedBytes: number
    pins: number
  },
  { out, text }: Site,
): void {
  const { pointBytes, packBytes } = status
  const saved = packBytes === 0 ? 1 : pointBytes / packBytes
  const size = formatBytes(packBytes)
  const { packs } = status
  const storedText = (ratio: number): string =>
    ratio < RATIO_SHOWN_MIN
      ? text('status.storedPlain', { size, packs })
      : text('status.storedSize', { size, packs, ratio: ratio.toFixed(1) })
  const rows = [
    [text('status.pool'), status.poolId],
    [text('status.redundancy'), status.redundancy],
    ...status.bricks.map(({ path, freeBytes }, index) => [
      text('status.brick', { index }),
      freeBytes === null
        ? text('status.brickMissing', { path })
        : text('status.brickFree', { path, free: formatBytes(freeBytes) }),
    ]),
    [
      text('status.points'),
      text('status.pointsSize', { count: status.points, size: formatBytes(pointBytes) }),
    ],
    [text('status.stored'), storedText(saved)],
    [text('status.disk'), formatBytes(status.diskBytes)],
    ...(status.condemnedBytes > 0
      ? [[text('status.condemned'), formatBytes(status.condemnedBytes)]]
      : []),
    [text('status.pins'), String(status.pins)],
  ]
  if (!out.isTerminal) {
    for (const row of rows) out.line(row.join('\t'))
    return
  }
  for (const line of formatTable([{ title: '' }, { title: '' }], rows).slice(1)) out.line(line)
}
