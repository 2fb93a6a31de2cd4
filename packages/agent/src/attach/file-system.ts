/**
 * File systems of volumes: made on a disk that holds nothing, and only there; grown while mounted.
 *
 * Both kinds give back what is deleted (discard), and are made without touching the disk more than
 * they must: a volume that was just created stores some megabytes.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { listMounts } from './fuse-mount.ts'
import { requireProgram, runProgram } from './run-program.ts'

export type FileSystemType = 'ext4' | 'xfs'

/** Of a disk that is to be blank, this is read: every file system leaves something in it. */
const HEAD_BYTES = 4 << 20
const PROBE_TIMEOUT_MS = 60_000
/** Some megabytes are written, on a slow line. */
const MAKE_TIMEOUT_MS = 120_000
/** Groups and their tables are written: seconds for a terabyte. */
const GROW_TIMEOUT_MS = 300_000
/** blkid has found nothing at all. */
const BLKID_NOTHING = 2

/**
 * The disk is blank: unused grains are holes already, so nothing is discarded first. The kernel
 * writes the rest of an ext4's tables when it is mounted, as zeros, which are holes, too.
 */
const MAKERS: Readonly<Record<FileSystemType, readonly string[]>> = {
  ext4: ['-q', '-F', '-m', '0', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1'],
  xfs: ['-q', '-K'],
}

export interface MakeFileSystemOptions {
  readonly device: string
  readonly type: FileSystemType
  /** An earlier attempt on this blank disk was cut short: what stands there is ours. */
  readonly begun: boolean
  /** Called with true, durably, before anything is written, and with false when it is whole. */
  readonly note: (begun: boolean) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * @returns false when the disk holds something: nothing has been written then
 * @throws MaasError MISSING_PROGRAM, MEDIUM_ATTACH_FAILED, CANCELLED
 */
export async function makeFileSystem(options: MakeFileSystemOptions): Promise<boolean> {
  const { device, type, begun, note, signal } = options
  if (!begun && !(await isBlank(device, signal))) return false
  note(true)
  try {
    const args = [...MAKERS[type], ...(begun && type === 'xfs' ? ['-f'] : []), device]
    await requireProgram(`mkfs.${type}`, args, { timeoutMs: MAKE_TIMEOUT_MS, signal })
  } catch (error) {
    // Blank again, for whoever tries next. Where that fails, too, the note stays.
    const wiped = await runProgram('blkdiscard', ['-f', device], { timeoutMs: PROBE_TIMEOUT_MS })
    if (wiped.status === 0) note(false)
    throw error
  }
  note(false)
  return true
}

/** No signature that blkid knows, and zeros where any other would have written. */
async function isBlank(device: string, signal: AbortSignal | undefined): Promise<boolean> {
  const limits = { timeoutMs: PROBE_TIMEOUT_MS, signal }
  const probed = await runProgram('blkid', ['-p', device], limits)
  if (probed.status !== BLKID_NOTHING) return false
  const head = ['-s', '-n', String(HEAD_BYTES), device, '/dev/zero']
  const compared = await runProgram('cmp', head, limits)
  if (compared.status === 0) return true
  if (compared.status === 1) return false
  const message = 'the disk cannot be read'
  throw new MaasError('MEDIUM_ATTACH_FAILED', message, { device, said: compared.said })
}

/**
 * The file system that is mounted from the disk takes all of it, while it is used. A disk that is
 * not mounted, or holds another kind, stays as it is.
 *
 * @throws MaasError MISSING_PROGRAM, MEDIUM_ATTACH_FAILED, CANCELLED
 */
export async function growFileSystem(device: string, signal?: AbortSignal): Promise<void> {
  const mounted = listMounts().find(({ source }) => source === device)
  const limits = { timeoutMs: GROW_TIMEOUT_MS, signal }
  if (mounted?.type === 'ext4') await requireProgram('resize2fs', [device], limits)
  if (mounted?.type === 'xfs') await requireProgram('xfs_growfs', [mounted.target], limits)
}

/** Bytes, as the kernel counts them now. */
export function sizeOfDisk(device: string): number {
  const sectors = readFileSync(`/sys/block/${path.basename(device)}/size`, 'utf8')
  return Number(sectors) * 512
}
