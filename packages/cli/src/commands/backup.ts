/** `openmaas backup <path>`: a recovery point of a directory, an image or a disk. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import type { CaptureOptions, CaptureProgress, CaptureResult } from '@openmaas/agent/capture/types'
import { WarmLanes } from '@openmaas/agent/capture/warm-lanes'
import { parseWhen } from '../format/when.ts'
import { openOwner } from '../pool/open.ts'
import { poolPatterns } from '../pool/own-directories.ts'
import { laneCount } from '../program/lanes.ts'
import { Progress } from '../program/progress.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { defaultName, givenName } from '../program/source-name.ts'
import { showWarnings } from '../program/warnings.ts'

const EXIT_WARNINGS = 6
/** Room for a customer number, a ticket, a reason; a manifest is one chunk. */
const TAGS_MAX = 100

export async function run(input: Input, site: Site): Promise<number> {
  const source = path.resolve(site.directory, input.positionals[0]!)
  const isVolume = input.has('volume')
  checkSource(source, isVolume)
  const name = givenName(input) ?? defaultName(source)
  const tags = parseTags(input.list('tag'))
  const lockUntil = parseLock(input.text('lock-until'), site)
  const lanes = laneCount(input, site)
  // The lanes' threads load their code while the passphrase is stretched.
  await using warm = new WarmLanes(isVolume ? 0 : lanes)
  const pool = await openOwner(site, { preload: () => loadCapture(isVolume) })
  try {
    const ownDirectories = isVolume ? [] : poolPatterns(source, pool.readerHandoff().bricks)
    const progress = new Progress(site)
    const options: CaptureOptions = {
      pool,
      path: source,
      name,
      tags,
      rules: {
        exclude: [...input.list('exclude'), ...ownDirectories],
        include: input.list('include'),
        oneFileSystem: input.has('one-file-system'),
      },
      parent: input.has('full') ? 'none' : 'auto',
      signal: site.signal,
      warm,
      onProgress: (amount) => showProgress(progress, site, amount),
      ...(lanes !== undefined && { lanes }),
      ...(lockUntil !== undefined && { lockUntil }),
    }
    const result = await capture(options, isVolume)
    progress.end()
    return report(result, name, input, site)
  } finally {
    await pool.close()
  }
}

async function capture(options: CaptureOptions, isVolume: boolean): Promise<CaptureResult> {
  if (isVolume) {
    const { captureVolume } = await import('@openmaas/agent/capture/capture-volume')
    return captureVolume(options)
  }
  const { captureTree } = await import('@openmaas/agent/capture/capture-tree')
  return captureTree(options)
}

/** Loaded ahead, while the passphrase is stretched. */
async function loadCapture(isVolume: boolean): Promise<void> {
  if (isVolume) await import('@openmaas/agent/capture/capture-volume')
  else await import('@openmaas/agent/capture/capture-tree')
  const { posixAvailable } = await import('@openmaas/kernel/posix/library')
  posixAvailable()
}

/** Before the passphrase is asked for. */
function checkSource(source: string, isVolume: boolean): void {
  let stat
  try {
    stat = statSync(source)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new MaasError('PATH_NOT_FOUND', `${source} does not exist`, { path: source })
    }
    const message = `cannot look at ${source}: ${code}`
    throw new MaasError('SOURCE_UNREADABLE', message, { path: source }, { cause: error })
  }
  if (isVolume ? stat.isFile() || stat.isBlockDevice() : stat.isDirectory()) return
  const message = isVolume
    ? `${source} is neither an image file nor a block device`
    : `${source} is not a directory`
  throw new MaasError('SOURCE_UNSUPPORTED', message, { path: source })
}

function parseTags(pairs: readonly string[]): Record<string, string> {
  if (pairs.length > TAGS_MAX) throw new MaasError('USAGE', `at most ${TAGS_MAX} tags`)
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=')
      if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)]
      throw new MaasError('USAGE', `--tag wants key=value, not "${pair}"`, { option: 'tag' })
    }),
  )
}

function parseLock(text: string | undefined, { clock }: Site): Date | undefined {
  if (text === undefined) return undefined
  const until = parseWhen(text, clock.wallMs())
  if (until !== undefined && until.getTime() > clock.wallMs()) return until
  const message = `--lock-until wants a date to come, such as 2030-12-31, not "${text}"`
  throw new MaasError('USAGE', message, { option: 'lock-until' })
}

function showProgress(progress: Progress, { text }: Site, amount: CaptureProgress): void {
  progress.update({
    phase: text(amount.phase === 'scanning' ? 'backup.reading' : 'backup.committing'),
    files: amount.files,
    filesTotal: amount.filesExpected,
    bytes: amount.bytes,
    bytesTotal: amount.bytesExpected,
  })
}

function report(result: CaptureResult, name: string, input: Input, site: Site): number {
  const { out, text } = site
  const { snapshot, progress, warnings, warningCount } = result
  if (out.json) out.value(resultJson(result, name))
  else {
    showWarnings(warnings, warningCount, site, input.has('verbose'))
    if (out.isTerminal) {
      const short = snapshot.id.slice(-6)
      out.say(
        text('backup.done', {
          id: out.paint('bold', short),
          name,
          files: progress.files.toLocaleString('en-US'),
          size: formatBytes(result.weights.bytes),
          changed: (progress.files - progress.unchangedFiles).toLocaleString('en-US'),
          stored: formatBytes(progress.storedBytes),
          time: formatDuration(result.durationMs),
        }),
      )
      if (warningCount > 0) out.say(text('backup.warnings', { count: warningCount }))
      out.say(text('backup.next', { id: short }))
    } else out.line(snapshot.id)
  }
  return result.status === 'warnings' ? EXIT_WARNINGS : 0
}

function resultJson(result: CaptureResult, name: string): unknown {
  const { snapshot, progress, weights } = result
  return {
    id: snapshot.id,
    createdAt: snapshot.createdAt.toISOString(),
    name,
    kind: snapshot.kind,
    status: result.status,
    parent: result.parent ?? null,
    size: weights.bytes,
    files: progress.files,
    directories: progress.directories,
    unchangedFiles: progress.unchangedFiles,
    bytesRead: progress.bytesRead,
    newBytes: progress.newBytes,
    storedBytes: progress.storedBytes,
    warningCount: result.warningCount,
    warnings: result.warnings,
    durationMs: Math.round(result.durationMs),
  }
}
