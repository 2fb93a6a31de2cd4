/** The engine of one medium as seen from outside: waiting for it, ending it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { bootId } from '@openmaas/kernel/sysinfo'
import { askEngine } from '@openmaas/medium/engine/control'
import {
  engineRuns,
  type EngineStatus,
  processStart,
  readStatus,
} from '@openmaas/medium/engine/status'
import { mediumDirectory, type MediumRecord } from '@openmaas/medium/media/record'
import { controlSocketOf } from '@openmaas/medium/media/runtime-directory'

/** Opening a pool reads its log and index: seconds at the most, minutes on a disk in trouble. */
const START_TIMEOUT_MS = 120_000
/** Time without a living engine, restarts included, after which it is not going to come. */
const ABSENT_MAX_MS = 20_000
/** What of the engine's log goes into the error. */
const LOG_TAIL_MAX = 600
const END_TIMEOUT_MS = 60_000
/** A keeper ends at once when its engine ended as it should. */
const KEEPER_ALONE_MAX_MS = 1000
const PAUSE_MS = 5

/**
 * Waits until the engine serves.
 *
 * @throws MaasError the engine's own, when it cannot serve; CANCELLED; MEDIUM_ENGINE_UNREACHABLE in
 *   the end
 */
export async function waitUntilServing(
  mediumDirectory: string,
  keeperPid: number,
  signal?: AbortSignal,
): Promise<EngineStatus> {
  let absentMs = 0
  for (
    let waitedMs = 0;
    waitedMs < START_TIMEOUT_MS && absentMs < ABSENT_MAX_MS;
    waitedMs += PAUSE_MS
  ) {
    const status = readStatus(mediumDirectory)
    const running = engineRuns(status)
    if (status?.state === 'serving' && running) return status
    if (!running) absentMs += PAUSE_MS
    if (status?.state === 'failed' && status.error !== undefined) throw reviveError(status.error)
    if (processStart(keeperPid) === undefined) break
    if (signal?.aborted === true) {
      throw new MaasError('CANCELLED', 'attaching the medium was cancelled', { mediumDirectory })
    }
    await delay(PAUSE_MS)
  }
  throw new MaasError(
    'MEDIUM_ENGINE_UNREACHABLE',
    'the engine of the medium did not begin to serve',
    {
      log: `${mediumDirectory}/engine.log`,
      said: readFileSync(`${mediumDirectory}/engine.log`, 'utf8').slice(-LOG_TAIL_MAX),
    },
  )
}

/**
 * Whether an engine can be asked to change what it serves. One that its keeper is restarting is
 * waited for: it may have read the record already that somebody is about to change.
 *
 * @returns false when there is none, and none will come
 */
export async function isServed(
  { path: brick }: { readonly path: string },
  { id, attachment }: MediumRecord,
): Promise<boolean> {
  if (attachment === undefined || attachment.bootId !== bootId()) return false
  const directory = mediumDirectory(brick, id)
  for (;;) {
    const status = readStatus(directory)
    const running = engineRuns(status)
    if (running && status!.state === 'serving') return true
    const keeper = status?.keeperPid ?? attachment.keeperPid
    if (keeper === undefined || !isKeeper(keeper, directory)) return running
    await waitUntilServing(directory, keeper)
  }
}

/**
 * Ends keeper and engine; the engine flushes first when it can still be asked.
 *
 * @param options.force do not ask: a plug that failed, or an engine that does not answer
 */
export async function endEngine(
  mediumDirectory: string,
  runtimeDirectory: string,
  options: { keeperPid?: number; force: boolean },
): Promise<void> {
  const status = readStatus(mediumDirectory)
  if (!options.force && engineRuns(status)) {
    // When it ends by itself at this moment (the mount is gone), there is nobody left to ask.
    await askEngine(controlSocketOf(runtimeDirectory), 'stop').catch((error: unknown) => {
      if (engineRuns(readStatus(mediumDirectory)) && !(error instanceof MaasError)) throw error
    })
  }
  // The keeper first, or it would start the engine again. An engine that outlives its keeper and
  // notices may have made another: hence the loop.
  for (let waitedMs = 0; waitedMs < END_TIMEOUT_MS; waitedMs += PAUSE_MS) {
    const current = readStatus(mediumDirectory)
    const keepers = new Set([options.keeperPid, status?.keeperPid, current?.keeperPid])
    const living = [...keepers].filter((pid) => pid !== undefined && isKeeper(pid, mediumDirectory))
    const running = engineRuns(current)
    if (!running && living.length === 0) return
    // Without an engine the keeper has nothing to flush; it may be trying in vain to start one.
    const idle = !running && waitedMs > KEEPER_ALONE_MAX_MS
    if (options.force || idle || waitedMs > END_TIMEOUT_MS / 4) {
      // With the engine that it may be starting, which has not said its pid yet.
      for (const pid of living) endProcess(-pid!)
      if (running) endProcess(current!.pid)
    }
    await delay(PAUSE_MS)
  }
  throw new MaasError('MEDIUM_BUSY', 'the engine of the medium does not end', { mediumDirectory })
}

/** @param pid negative: the group of that process, as for kill(2). A keeper has one of its own. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/**
 * A pid may have been given to another process since: its command line must name the medium. By
 * its id, for the pool may have been moved since.
 */
export function isKeeper(pid: number, mediumDirectory: string): boolean {
  const start = processStart(pid)
  return start !== undefined && commandLine(pid).includes(path.basename(mediumDirectory))
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH') return ''
    throw error
  }
}
