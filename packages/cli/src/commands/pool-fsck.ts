/** `openmaas pool fsck`: is everything there and whole, and whom does it concern when not. */
import { formatBytes } from '@openmaas/kernel/units'
import type { FsckReport } from '@openmaas/pool/fsck/report'
import { PoolOwnerSocket } from '@openmaas/agent/owner/owner-socket'
import { printable } from '../format/width.ts'
import { openOwner } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import { Progress } from '../program/progress.ts'
import type { Site } from '../program/site.ts'

const EXIT_DAMAGED = 10

export async function run(input: Input, site: Site): Promise<number> {
  // A mirror with a disk missing is just what wants looking at.
  const pool = await openOwner(site, { degraded: true })
  try {
    // Others plug and eject meanwhile: their pins go through this owner.
    await using _socket = await PoolOwnerSocket.listen(pool)
    const progress = new Progress(site)
    const report = await pool.fsck(
      { level: input.has('data') ? 'data' : 'structure', repair: input.has('repair') },
      ({ phase, done, total }) =>
        progress.update({ phase: site.text(`fsck.${phase}`), files: done, filesTotal: total }),
      site.signal,
    )
    progress.end()
    show(report, pool.status().missingBricks, site)
    return report.healthy ? 0 : EXIT_DAMAGED
  } finally {
    await pool.close()
  }
}

function show(report: FsckReport, missingBricks: readonly number[], { out, text }: Site): void {
  if (out.json) {
    out.value({ ...report, missingBricks })
    return
  }
  for (const index of missingBricks) out.line(text('fsck.brickMissing', { index }))
  for (const { what, message, path, packId, repaired } of report.problems) {
    if (what === 'snapshot') continue // Named below, with its source.
    const where = path ?? packId ?? ''
    const end = repaired ? text('fsck.repaired') : ''
    out.line(printable([what, where, message, end].filter((part) => part !== '').join('  ')))
  }
  for (const { id, name, message } of report.affected) {
    out.line(printable(text('fsck.affected', { id, name, message })))
  }
  const { snapshots, packs, problemCount, repairedCount, affected } = report
  const size = formatBytes(report.bytesRead)
  out.say(text('fsck.checked', { points: snapshots, packs, size }))
  if (problemCount > 0) {
    out.say(text('fsck.problems', { count: problemCount, repaired: repairedCount }))
  }
  if (affected.length > 0) out.say(text('fsck.heal', { count: affected.length }))
  if (report.healthy) out.say(out.paint('green', text('fsck.healthy')))
}
