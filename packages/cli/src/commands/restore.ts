/** `openmaas restore <point> [path…] --to DIR` */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import type { RestoreOptions, RestoreResult } from '@openmaas/agent/restore/types'
import { WarmRestoreLanes } from '@openmaas/agent/restore/warm-lanes'
import { printable } from '../format/width.ts'
import { listPoints, openReader } from '../pool/open.ts'
import { refusePoolAsTarget } from '../pool/own-directories.ts'
import { withPin } from '../pool/pin.ts'
import { resolvePoint } from '../pool/points.ts'
import { findPath, openTree } from '../pool/tree.ts'
import type { Input } from '../program/input.ts'
import { laneCount } from '../program/lanes.ts'
import { Progress } from '../program/progress.ts'
import type { Site } from '../program/site.ts'
import { showWarnings } from '../program/warnings.ts'

const EXIT_WARNINGS = 6

export async function run(input: Input, site: Site): Promise<number> {
  const wish = input.text('to')
  if (wish === undefined) {
    throw new MaasError('USAGE', 'restore wants --to <dir>', { option: 'to' })
  }
  const target = path.resolve(site.directory, wish)
  const conflict = input.choice('conflict', ['fail', 'skip', 'overwrite', 'rename'])
  const owners = input.choice('owners', ['auto', 'numbers', 'none'])
  const lanes = laneCount(input, site)
  // The lanes' threads load their code while the passphrase is stretched.
  await using warm = new WarmRestoreLanes(input.has('dry-run') ? 0 : lanes)
  const reader = await openReader(site, loadRestore)
  refusePoolAsTarget(target, reader.brickPaths)
  const [wanted, ...paths] = input.positionals
  const point = resolvePoint(listPoints(reader), wanted!, site.clock.wallMs())
  const isVolume = point.row.kind === 'volume'
  // A volume has no paths inside: naming one is refused by openTree.
  const tree = isVolume && paths.length === 0 ? undefined : openTree(reader.chunks, point)
  const found = tree === undefined ? [] : paths.map((text) => findPath(tree, point, text).path)
  const progress = new Progress(site)
  const options: Omit<RestoreOptions, 'signal'> = {
    reader,
    snapshot: point.row,
    target,
    dryRun: input.has('dry-run'),
    warm,
    onProgress: (amount) =>
      progress.update({
        phase: site.text(amount.phase === 'finishing' ? 'restore.finishing' : 'restore.writing'),
        files: amount.files,
        bytes: amount.bytes,
        bytesTotal: amount.bytesTotal,
      }),
    ...(found.length > 0 && { paths: found }),
    ...(conflict !== undefined && { conflict }),
    ...(owners !== undefined && { owners }),
    ...(lanes !== undefined && { lanes }),
  }
  const result = await withPin(reader, point, site, (signal) =>
    restore({ ...options, signal }, isVolume),
  )
  progress.end()
  return report(result, options, site, input.has('verbose'))
}

/** Loaded ahead, while the passphrase is stretched. */
function loadRestore(): Promise<unknown> {
  return Promise.all([
    import('@openmaas/agent/restore/restore-tree'),
    import('@openmaas/agent/owner/owner-socket'),
  ])
}

async function restore(options: RestoreOptions, isVolume: boolean): Promise<RestoreResult> {
  if (isVolume) {
    const { restoreVolume } = await import('@openmaas/agent/restore/restore-volume')
    return restoreVolume(options)
  }
  const { restoreTree } = await import('@openmaas/agent/restore/restore-tree')
  return restoreTree(options)
}

function report(
  result: RestoreResult,
  { target, snapshot, dryRun }: Pick<RestoreOptions, 'target' | 'snapshot' | 'dryRun'>,
  site: Site,
  isVerbose: boolean,
): number {
  const { out, text } = site
  const { progress, warnings, warningCount, status } = result
  const { files, directories, entries, bytes, skipped } = progress
  if (out.json) {
    out.value({
      point: snapshot.id,
      target,
      dryRun: dryRun === true,
      status,
      entries,
      files,
      directories,
      bytes,
      skipped,
      warningCount,
      warnings,
      durationMs: Math.round(result.durationMs),
    })
  } else {
    showWarnings(warnings, warningCount, site, isVerbose)
    if (out.isTerminal) {
      const figures = {
        files: files.toLocaleString('en-US'),
        size: formatBytes(bytes),
        skipped: skipped.toLocaleString('en-US'),
        target: printable(target),
      }
      if (dryRun === true) out.say(text('restore.wouldDo', figures))
      else out.say(text('restore.done', { ...figures, time: formatDuration(result.durationMs) }))
    } else out.line(target)
  }
  return status === 'warnings' ? EXIT_WARNINGS : 0
}
