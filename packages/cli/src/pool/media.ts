/** What the media verbs need: the pool with its key, and where a disk is mounted by default. */
import { mkdirSync, rmdirSync } from 'node:fs'
import path from 'node:path'
import { fsError } from '@openmaas/kernel/fs-errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import type { PlugResult, PoolAccess } from '@openmaas/agent/media/types'
import { deviceOf, type MediumRecord } from '@openmaas/medium/media/record'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import type { Site } from '../program/site.ts'

/** Ways to make the disk, as the option --attach takes them. */
export const ATTACH_WISHES = ['auto', 'fuse', 'nbd'] as const

/** Mount points that we made ourselves, and remove again. */
const MOUNT_ROOT = '/run/openmaas/disks'
/** Disks of one point under one name; more get the medium's id in theirs. */
const SAME_NAME_MAX = 100

/** @returns access to the pool, after what killed commands left half done has been cleared away */
export async function mediaAccess(reader: PoolReader, site: Site): Promise<PoolAccess> {
  const access: PoolAccess = {
    path: reader.brickPaths[0]!,
    masterKey: reader.masterKey,
    fs: new NodeFs(),
    clock: site.clock,
    random: systemRandom,
  }
  // Loaded here, so that a command can load it while the passphrase is stretched.
  const { reconcile } = await import('@openmaas/agent/media/reconcile')
  await reconcile(access)
  return access
}

interface MountWish {
  readonly mount: boolean
  readonly mountPoint?: string
  readonly sourceName: string
  readonly snapshotId: string
}

/** Where the disk is to be mounted: as wished, or at a directory that is made here. */
export function withMountPoint<T extends MountWish>(wish: T): T {
  if (!wish.mount || wish.mountPoint !== undefined) return wish
  return { ...wish, mountPoint: makeDefaultMountPoint(wish.sourceName, wish.snapshotId) }
}

/** Makes `/run/openmaas/disks/home-5KQ2M7`; numbered when it is taken. */
function makeDefaultMountPoint(sourceName: string, id: string): string {
  makeDirectories(MOUNT_ROOT)
  const name = sourceName.replaceAll(/[^\p{L}\p{N}._-]/gu, '_').slice(0, 64)
  const base = path.join(MOUNT_ROOT, `${name}-${id.slice(-6)}`)
  for (let number = 1; number <= SAME_NAME_MAX; number += 1) {
    const candidate = number === 1 ? base : `${base}-${number}`
    // Made, not looked for: of two commands at once, each gets its own.
    if (makeIfNew(candidate)) return candidate
  }
  return `${base}-${process.pid}`
}

function makeIfNew(directory: string): boolean {
  try {
    mkdirSync(directory)
    return true
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    throw fsError(code, 'make directory', directory, error)
  }
}

/** After an eject or a failed plug: takes away the empty directory, when it is one of ours. */
export function removeMountPoint(mountPoint: string | undefined): void {
  if (mountPoint === undefined || path.dirname(mountPoint) !== MOUNT_ROOT) return
  try {
    rmdirSync(mountPoint)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Somebody keeps something there now: it is theirs.
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EBUSY') throw error
  }
}

/** Shape of a medium in the output of --json. */
export function mediumJson(record: MediumRecord): Record<string, unknown> {
  const { attachment } = record
  return {
    id: record.id,
    point: record.snapshotId,
    source: record.sourceName,
    readOnly: record.readOnly,
    createdAt: record.createdAt,
    device: deviceOf(attachment) ?? null,
    mountPoint: attachment?.mountPoint ?? null,
    nbd: attachment?.nbd ?? null,
  }
}

/** What plug, resume and clone say at the end. */
export function reportPlugged(result: PlugResult, { out, text }: Site): void {
  const { medium, elapsedMs, fileSystem } = result
  const { attachment } = medium
  if (out.json) {
    const state = { state: 'plugged', fileSystem: fileSystem ?? null }
    out.value({ ...mediumJson(medium), ...state, elapsedMs: Math.round(elapsedMs) })
    return
  }
  const short = medium.id.slice(-6)
  const where = attachment?.mountPoint ?? deviceOf(attachment) ?? nbdUri(attachment?.nbd)
  if (!out.isTerminal) {
    out.line(where ?? medium.id)
    return
  }
  const disk = out.paint('bold', deviceOf(attachment) ?? short)
  if (deviceOf(attachment) !== undefined) {
    const time = Math.round(elapsedMs)
    out.say(text('plug.disk', { disk, id: short, time, source: medium.sourceName }))
  }
  if (attachment?.mountPoint !== undefined) {
    out.say(text('plug.mounted', { path: out.paint('bold', attachment.mountPoint) }))
  }
  const uri = nbdUri(attachment?.nbd)
  if (uri !== undefined) out.say(text('plug.nbd', { uri: out.paint('bold', uri) }))
  out.say(text(medium.readOnly ? 'plug.readOnly' : 'plug.writable'))
  out.say(text('plug.next', { id: short }))
}

/** As nbdinfo and qemu-img take it. */
export function nbdUri(nbd: string | undefined): string | undefined {
  if (nbd === undefined) return undefined
  return nbd.startsWith('/') ? `nbd+unix:///?socket=${nbd}` : `nbd://${nbd}`
}
