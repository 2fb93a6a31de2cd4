/**
 * The local directory that a virtual database moves to. It must be empty or not there yet, and on
 * a disk of the host itself: what stands on one of our mounts, among the files of a pool, or in
 * the directory of another database is gone or damaged when they go.
 */
import { lstatSync, mkdirSync, readdirSync, realpathSync, statfsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { formatBytes } from '@openmaas/kernel/units'
import { syncDirectory } from '@openmaas/source-kit/layout'
import { readState, writeState } from '@openmaas/source-kit/state-file'
import { isBelow, readMounts, whyUnfit } from './target-disk.ts'

/** Says whose directory it is. Stays with it: what is without one is never removed by us. */
const MARKER = 'openmaas-promotion.json'
/** Every brick of a pool has one, beside the first. */
const BRICK_MARKER = 'pool.json.copy'
/** Left free for the log that the instance writes next. */
const SPACE_SPARE_BYTES = 64 * 1024 ** 2

const marker = z.object({
  id: z.string(),
  /** When the instance was stopped for the last pass, in milliseconds; null: it was not yet. */
  stoppedAt: z.number().nullable(),
})
export type Marker = z.output<typeof marker>

export const markerPath = (directory: string): string => join(directory, MARKER)

export function readMarker(directory: string): Marker | null {
  return readState(markerPath(directory), marker)
}

export function writeMarker(directory: string, content: Marker): void {
  writeState(markerPath(directory), content)
}

/**
 * Makes it, with its marker. One that was begun for the same id is gone on with.
 *
 * @throws MaasError DIRECTORY_UNFIT, FS_*
 */
export function openTarget(directory: string, id: string): void {
  if (!checkTarget(directory, id)) {
    mkdirSync(directory, { mode: 0o700 })
    syncDirectory(dirname(directory))
  }
  if (readMarker(directory) === null) writeMarker(directory, { id, stoppedAt: null })
}

/**
 * Whether it can be made, or taken as it is.
 *
 * @returns true when it is there
 * @throws MaasError DIRECTORY_UNFIT, FS_*
 */
export function checkTarget(directory: string, id: string): boolean {
  requireLocal(directory)
  const there = lstatSync(directory, { throwIfNoEntry: false })
  if (there === undefined) return false
  if (!there.isDirectory()) throw unfit(directory, 'is no directory')
  const owner = readMarker(directory)
  if (owner?.id === id) return true
  if (owner !== null) throw unfit(directory, `belongs to the virtual database ${owner.id}`)
  if (readdirSync(directory).length > 0) throw unfit(directory, 'is not empty')
  return true
}

/**
 * The server's user must come to it. By the modes alone: where an access list says otherwise,
 * give the directories above the right to pass (o+x).
 *
 * @param data  owned by the server's user
 * @throws MaasError DIRECTORY_UNFIT
 */
export function requirePassage(directory: string, data: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = lstatSync(data)
  if (uid === 0) return
  for (let above = dirname(directory); above !== '/'; above = dirname(above)) {
    const { mode, uid: owner, gid: group } = lstatSync(above)
    const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001
    if ((mode & bit) !== 0) continue
    throw unfit(directory, `is below ${above}, which the server's user cannot pass through`)
  }
}

/** @throws MaasError FS_NO_SPACE saying how much is missing */
export function requireSpace(directory: string, neededBytes: number): void {
  const { bavail, bsize } = statfsSync(directory)
  const freeBytes = bavail * bsize
  const wanted = neededBytes + SPACE_SPARE_BYTES
  if (freeBytes >= wanted) return
  const message =
    `${directory} has ${formatBytes(freeBytes)} free, and ${formatBytes(wanted)} are needed: ` +
    `${formatBytes(wanted - freeBytes)} are missing`
  throw new MaasError('FS_NO_SPACE', message, { directory, freeBytes, neededBytes: wanted })
}

/**
 * Nobody else's files lie in it: neither another promoted database nor what is mounted there. For
 * whoever removes from it, on the way to a copy that is equal or at the end.
 *
 * @throws MaasError DIRECTORY_UNFIT, DATABASE_STATE_INVALID for a marker that cannot be read
 */
export async function requireOwnTree(directory: string, id: string): Promise<void> {
  const mount = readMounts().find(({ target }) => isBelow(target, directory))
  if (mount !== undefined) {
    throw unfit(directory, `has something mounted in it, at ${mount.target}: unmount that first`)
  }
  for (const inner of await listMarked(directory)) {
    const owner = readMarker(inner)
    if (owner === null || owner.id === id) continue
    const what = `holds ${inner}, which belongs to the virtual database ${owner.id}`
    throw unfit(directory, `${what}: move or drop that one first`)
  }
}

/** Directories below it that have a marker. No link is followed. */
async function listMarked(directory: string): Promise<string[]> {
  const marked: string[] = []
  const open = [directory]
  for (let each = open.pop(); each !== undefined; each = open.pop()) {
    for (const entry of await readdir(each, { withFileTypes: true })) {
      if (entry.isDirectory()) open.push(join(each, entry.name))
      else if (entry.name === MARKER && each !== directory) marked.push(each)
    }
  }
  return marked
}

/** @throws MaasError DIRECTORY_UNFIT */
function requireLocal(directory: string): void {
  const parent = dirname(directory)
  let real
  try {
    real = realpathSync(parent)
  } catch {
    throw unfit(directory, `cannot be made: there is no ${parent}`)
  }
  if (real !== parent) throw unfit(directory, `is a link's: say ${join(real, basename(directory))}`)
  if (!lstatSync(parent).isDirectory()) throw unfit(directory, `is below a file, ${parent}`)
  const why = whyUnfit(directory, readMounts())
  if (why !== null) throw unfit(directory, why)
  for (let above = directory; above !== '/'; above = dirname(above)) {
    if (isThere(join(above, BRICK_MARKER))) {
      throw unfit(directory, `is on the brick ${above} of a pool`)
    }
    // Its drop would take along what lies in it.
    if (above !== directory && isThere(markerPath(above))) {
      throw unfit(directory, `is below ${above}, which is the directory of a virtual database`)
    }
  }
}

/** Below a file there is nothing. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR') return false
    throw fsError(code, 'lstat', path, error)
  }
}

function unfit(directory: string, why: string): MaasError {
  return new MaasError('DIRECTORY_UNFIT', `${directory} ${why}`, { directory })
}
