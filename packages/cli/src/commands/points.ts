/** `openmaas points`: the recovery points, newest first. */
import { formatBytes } from '@openmaas/kernel/units'
import { formatAge, formatLocal } from '../format/time.ts'
import { pointJson } from '../format/point.ts'
import { printable } from '../format/width.ts'
import { listPoints, openReader } from '../pool/open.ts'
import { type Point, shortIds } from '../pool/points.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const reader = await openReader(site)
  const all = listPoints(reader)
  const name = input.text('name')
  const host = input.text('host')
  const points = all.filter(
    ({ manifest: { source } }) =>
      (name === undefined || source.name === name) && (host === undefined || source.host === host),
  )
  const { out, text } = site
  if (out.json) {
    out.value(points.map((point) => pointJson(point)))
    return
  }
  if (points.length === 0) {
    out.note(text(all.length === 0 ? 'points.none' : 'points.noneOfThese'))
    return
  }
  showPoints(points, shortIds(all.map((point) => point.row.id)), site)
  out.say('')
  out.say(text('points.next'))
}

/** The table of points; also the preview before a deletion. */
export function showPoints(
  points: readonly Point[],
  short: (id: string) => string,
  site: Site,
): void {
  const { out, text, clock } = site
  const now = clock.wallMs()
  const rows = points.map((point) => {
    const { id, createdAt, name, kind, size, files, storedBytes, status } = pointJson(point)
    const at = new Date(createdAt)
    if (!out.isTerminal) {
      // Bare values that a script can compute with.
      return [id, createdAt, name, kind, size, files ?? '', storedBytes ?? '', status].map(String)
    }
    return [
      short(id),
      `${formatLocal(at)}  ${formatAge(now - at.getTime(), text)}`,
      printable(name),
      text(`kind.${kind}`),
      formatBytes(size),
      files === null ? '' : files.toLocaleString('en-US'),
      storedBytes === null ? '' : formatBytes(storedBytes),
      text(`status.${status}`),
    ]
  })
  out.table(
    [
      { title: text('column.id') },
      { title: text('column.time') },
      { title: text('column.name') },
      { title: text('column.kind') },
      { title: text('column.size'), align: 'right' },
      { title: text('column.files'), align: 'right' },
      { title: text('column.stored'), align: 'right' },
      { title: text('column.status') },
    ],
    rows,
  )
}
