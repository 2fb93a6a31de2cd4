/**
 * The local directory that a virtual database moves to. It must be empty or not there yet, and on
 * a disk of the host itself: what stands on one of our mounts, or among the files of a pool, is
 * gone or damaged when they go.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statfsSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { syncDirectory } from '@openmaas/source-kit/layout'
import { readState, writeState } from '@openmaas/source-kit/state-file'
import { listMounts, type MountEntry } from '../attach/fuse-mount.ts'

/** Says whose directory it is. Stays with it: what is without one is never removed by us. */
const MARKER = 'openmaas-promotion.json'
/** Every brick of a pool has one, beside the first. */
const BRICK_MARKER = 'pool.json.copy'
/** Where media are mounted; also those of other media lie below. */
const MOUNT_ROOT = '/mnt/openmaas'
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
  const there = lstatSync(directory, { throwIfNoEntry: false })
  requireLocal(directory)
  if (there === undefined) {
    mkdirSync(directory, { mode: 0o700 })
    syncDirectory(dirname(directory))
  } else if (!there.isDirectory()) throw unfit(directory, 'is no directory')
  const owner = readMarker(directory)
  if (owner?.id === id) return
  if (owner !== null) throw unfit(directory, `belongs to the virtual database ${owner.id}`)
  const names = readdirSync(directory)
  if (names.some((name) => name !== 'lost+found')) throw unfit(directory, 'is not empty')
  writeMarker(directory, { id, stoppedAt: null })
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
  if (isBelow(directory, MOUNT_ROOT)) throw unfit(directory, 'is among our mounts')
  for (let above = directory; above !== '/'; above = dirname(above)) {
    const brick = lstatSync(join(above, BRICK_MARKER), { throwIfNoEntry: false })
    if (brick !== undefined) throw unfit(directory, `is on the brick ${above} of a pool`)
  }
  const mount = mountOf(parent)
  if (!isOurs(mount)) return
  throw unfit(directory, `is on ${mount.target}, which is a medium of ours`)
}

/** The longest path that holds it; of several at the same one, the last that was mounted. */
function mountOf(path: string): MountEntry {
  let found: MountEntry = { source: '', target: '/', type: '' }
  for (const each of listMounts()) {
    const holds = each.target === '/' || path === each.target || isBelow(path, each.target)
    if (holds && each.target.length >= found.target.length) found = each
  }
  return found
}

/** Disks of media: by the kernel's nbd, or a loop device over a file that FUSE serves. */
function isOurs({ source, type }: MountEntry): boolean {
  if (type.startsWith('fuse') || source.startsWith('/dev/nbd')) return true
  const loop = /^\/dev\/(loop\d+)$/.exec(source)?.[1]
  if (loop === undefined) return false
  const record = `/sys/block/${loop}/loop/backing_file`
  if (!existsSync(record)) return false
  return mountOf(dirname(readFileSync(record, 'utf8').trim())).type.startsWith('fuse')
}

const isBelow = (path: string, above: string): boolean => path.startsWith(`${above}/`)

function unfit(directory: string, why: string): MaasError {
  return new MaasError('DIRECTORY_UNFIT', `${directory} ${why}`, { directory })
}
