/** `openmaas pool status` */
import { NodeFs } from '@openmaas/kernel/node-fs'
import { formatBytes } from '@openmaas/kernel/units'
import { formatTable } from '../format/table.ts'
import { pointSize } from '../format/point.ts'
import { listPoints, openReader } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

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
  const ratio = packBytes === 0 ? '1.0' : (pointBytes / packBytes).toFixed(1)
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
    [
      text('status.stored'),
      text('status.storedSize', { size: formatBytes(packBytes), packs: status.packs, ratio }),
    ],
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
