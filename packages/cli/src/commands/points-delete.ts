/** `openmaas points delete <point…>` */
import { pointJson } from '../format/point.ts'
import { listPoints, openOwner } from '../pool/open.ts'
import { type Point, resolvePoint, shortIds } from '../pool/points.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { confirm } from '../program/terminal.ts'
import { showPoints } from './points.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const pool = await openOwner(site)
  try {
    const all = listPoints(pool)
    const now = site.clock.wallMs()
    // All are found before the first is deleted; a point named twice is one.
    const points = new Set<Point>(input.positionals.map((text) => resolvePoint(all, text, now)))
    const short = shortIds(all.map((point) => point.row.id))
    const { out, text, signal } = site
    const isDryRun = input.has('dry-run')
    if (!out.json && (isDryRun || !input.has('yes'))) showPoints([...points], short, site)
    if (!isDryRun && !input.has('yes')) {
      out.flush()
      await confirm(site, text('points-delete.ask', { count: points.size }))
    }
    const deleted: Point[] = []
    for (const point of isDryRun ? [] : points) {
      signal.throwIfAborted()
      await pool.deleteSnapshot(point.row.id)
      deleted.push(point)
      if (!out.json && !out.isTerminal) out.line(point.row.id)
    }
    if (out.json) {
      out.value({ dryRun: isDryRun, points: [...points].map((point) => pointJson(point)) })
    } else if (!isDryRun) {
      out.say(text('points-delete.done', { count: deleted.length }))
      out.say(text('points-delete.next'))
    }
  } finally {
    await pool.close()
  }
}
