/** `openmaas pool gc`: the space of deleted points comes back. */
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import type { GcOptions, GcReport } from '@openmaas/pool/gc/run'
import { PoolOwnerSocket } from '@openmaas/agent/owner/owner-socket'
import type { Pool } from '@openmaas/pool/pool/pool'
import { parseDuration } from '../format/time.ts'
import { openOwner } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import { Progress } from '../program/progress.ts'
import type { Site } from '../program/site.ts'
import { canAsk, confirm } from '../program/terminal.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const options: GcOptions = { approve: input.has('approve'), delayMs: parseGrace(input) }
  const isDryRun = input.has('dry-run')
  const pool = await openOwner(site)
  try {
    // Others plug and eject meanwhile: their pins go through this owner.
    await using _socket = await PoolOwnerSocket.listen(pool)
    // A person sees what would go before it goes. A script need not ask: no point loses anything.
    const asks = !isDryRun && !input.has('yes') && !site.out.json && canAsk()
    if (isDryRun || asks) {
      const preview = await collect(pool, { ...options, dryRun: true }, site)
      showPreview(preview, isDryRun, site)
      if (isDryRun) return
      site.out.flush()
      const isAllowed = options.approve === true || preview.needsApproval.length === 0
      // What is not allowed is not asked for either; the run below says so and changes nothing.
      if (isAllowed && freedBytes(preview) > 0) await confirm(site, site.text('gc.ask'))
    }
    showResult(await collect(pool, options, site), site)
  } finally {
    await pool.close()
  }
}

function parseGrace(input: Input): number {
  const grace = input.text('grace')
  if (grace === undefined) return 0
  const delayMs = parseDuration(grace)
  if (delayMs !== undefined) return delayMs
  throw new MaasError('USAGE', `--grace wants a time such as 12h or 7d, not "${grace}"`, {
    option: 'grace',
  })
}

async function collect(pool: Pool, options: GcOptions, site: Site): Promise<GcReport> {
  const progress = new Progress(site)
  try {
    return await pool.gc(
      options,
      ({ phase, done, total }) =>
        progress.update({ phase: site.text(`gc.${phase}`), files: done, filesTotal: total }),
      site.signal,
    )
  } finally {
    progress.end()
  }
}

/** An estimate: of the sparse packs about the garbage in them. */
function freedBytes({ garbageBytes, sparseBytes }: GcReport): number {
  return garbageBytes + sparseBytes
}

function showPreview(report: GcReport, isDryRun: boolean, { out, text }: Site): void {
  if (out.json) {
    out.value({ dryRun: true, ...report })
    return
  }
  const { garbagePacks, garbageBytes, sparsePacks, sparseBytes, waitingPacks } = report
  if (!out.isTerminal && isDryRun) {
    out.line(`garbage\t${garbagePacks}\t${garbageBytes}`)
    out.line(`sparse\t${sparsePacks}\t${sparseBytes}`)
    out.line(`waiting\t${waitingPacks}`)
    return
  }
  out.say(text('gc.garbage', { packs: garbagePacks, size: formatBytes(garbageBytes) }))
  if (sparsePacks > 0) {
    out.say(text('gc.sparse', { packs: sparsePacks, size: formatBytes(sparseBytes) }))
  }
  for (const reason of report.needsApproval) {
    out.say(text(reason === 'young' ? 'gc.approvalYoung' : 'gc.approvalShare'))
  }
}

function showResult(report: GcReport, { out, text }: Site): void {
  if (out.json) {
    out.value({ dryRun: false, ...report })
    return
  }
  const { deletedPacks, deletedBytes, copiedBytes, waitingPacks } = report
  if (!out.isTerminal) {
    out.line(String(deletedBytes))
    return
  }
  const size = formatBytes(deletedBytes)
  out.say(text('gc.done', { packs: deletedPacks, size, copied: formatBytes(copiedBytes) }))
  if (waitingPacks > 0) out.say(text('gc.waiting', { packs: waitingPacks }))
}
