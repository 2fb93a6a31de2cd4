/**
 * File systems of volumes: made on a disk that holds nothing, and only there; grown while mounted,
 * or, an ext4 where the kernel lets nobody do that, before it is mounted.
 *
 * xfs grows while it is mounted for whoever may mount; ext4 asks for CAP_SYS_RESOURCE, which
 * containers and sandboxes withhold. So xfs is chosen where this host can make one.
 *
 * Both kinds give back what is deleted (discard), and are made without touching the disk more than
 * they must: a volume that was just created stores some megabytes.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { listMounts } from './fuse-mount.ts'
import { requireProgram, runProgram, type RunOptions } from './run-program.ts'

export type FileSystemType = 'ext4' | 'xfs'
/** `auto`: xfs where this host can make one and the disk is large enough, else ext4. */
export type FileSystemWish = FileSystemType | 'auto'

/** xfs itself takes 300 MiB at the least, and of a disk of half a GiB its log is an eighth. */
const XFS_DISK_BYTES_MIN = 512 << 20
/** Bit of CapEff in /proc/self/status (capability.h). */
const CAP_SYS_RESOURCE = 24n

/** Of a disk that is to be blank, this is read: every file system leaves something in it. */
const HEAD_BYTES = 4 << 20
const PROBE_TIMEOUT_MS = 60_000
/** Some megabytes are written, on a slow line. */
const MAKE_TIMEOUT_MS = 120_000
/** Groups and their tables are written: seconds for a terabyte. */
const GROW_TIMEOUT_MS = 300_000
/** All that describes files is read: a minute for a terabyte with millions of them. */
const CHECK_TIMEOUT_MS = 1_800_000
/** e2fsck: 0 clean, 1 corrected. */
const CHECKED_STATUS_MAX = 1
/** blkid has found nothing at all. */
const BLKID_NOTHING = 2

/**
 * The disk is blank: unused grains are holes already, so nothing is discarded first. The kernel
 * writes the rest of an ext4's tables when it is mounted, as zeros, which are holes, too. The log
 * of an xfs is written whole, as zeros that a seal stores as a hole: not more than the least.
 */
const MAKERS: Readonly<Record<FileSystemType, readonly string[]>> = {
  ext4: ['-q', '-F', '-m', '0', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1'],
  xfs: ['-q', '-K', '-l', 'size=64m'],
}

export interface MakeFileSystemOptions {
  readonly device: string
  readonly type: FileSystemWish
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
  const { device, type: wish, begun, note, signal } = options
  if (!begun && !(await isBlank(device, signal))) return false
  const type = wish === 'auto' ? await chooseType(device, signal) : wish
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

async function chooseType(
  device: string,
  signal: AbortSignal | undefined,
): Promise<FileSystemType> {
  if (sizeOfDisk(device) < XFS_DISK_BYTES_MIN) return 'ext4'
  const limits = { timeoutMs: PROBE_TIMEOUT_MS, signal }
  for (const program of ['mkfs.xfs', 'xfs_growfs']) {
    if (!(await succeeds(program, ['-V'], limits))) return 'ext4'
  }
  // Loaded with the first mount otherwise; where it is built in, or must not be, the list tells.
  await succeeds('modprobe', ['-q', 'xfs'], limits)
  return /\txfs$/m.test(readFileSync('/proc/filesystems', 'utf8')) ? 'xfs' : 'ext4'
}

async function succeeds(
  program: string,
  args: readonly string[],
  limits: RunOptions,
): Promise<boolean> {
  try {
    return (await runProgram(program, args, limits)).status === 0
  } catch (error) {
    if (isMaasError(error, 'MISSING_PROGRAM')) return false
    throw error
  }
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
 * @throws MaasError MEDIUM_GROW_OFFLINE: only one that is not mounted grows here;
 *   MISSING_PROGRAM, MEDIUM_ATTACH_FAILED, CANCELLED
 */
export async function growFileSystem(device: string, signal?: AbortSignal): Promise<void> {
  const mounted = listMounts().find(({ source }) => source === device)
  const limits = { timeoutMs: GROW_TIMEOUT_MS, signal }
  if (mounted?.type === 'ext4') {
    if (!hasCapability(CAP_SYS_RESOURCE)) {
      const message = 'an ext4 that is mounted grows only with CAP_SYS_RESOURCE'
      throw new MaasError('MEDIUM_GROW_OFFLINE', message, { device, path: mounted.target })
    }
    await requireProgram('resize2fs', [device], limits)
  }
  if (mounted?.type === 'xfs') await requireProgram('xfs_growfs', [mounted.target], limits)
}

/**
 * Before it is mounted: an ext4 takes all of its disk. It is checked first, as resize2fs demands;
 * one that was cut short is mended by the same check. An xfs grows once it is mounted.
 *
 * @throws MaasError MISSING_PROGRAM, MEDIUM_ATTACH_FAILED, CANCELLED
 */
export async function growUnmounted(device: string, signal?: AbortSignal): Promise<void> {
  const probe = { timeoutMs: PROBE_TIMEOUT_MS, signal }
  const { stdout } = await runProgram('blkid', ['-p', '-s', 'TYPE', '-o', 'value', device], probe)
  if (stdout.trim() !== 'ext4') return
  const limits = { timeoutMs: CHECK_TIMEOUT_MS, signal }
  const { status, said } = await runProgram('e2fsck', ['-f', '-p', device], limits)
  if (status < 0 || status > CHECKED_STATUS_MAX) {
    const message = `e2fsck ended with status ${status}`
    throw new MaasError('MEDIUM_ATTACH_FAILED', message, { device, said })
  }
  await requireProgram('resize2fs', [device], { timeoutMs: GROW_TIMEOUT_MS, signal })
}

function hasCapability(bit: bigint): boolean {
  const line = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return line !== null && ((BigInt(`0x${line[1]!}`) >> bit) & 1n) === 1n
}

/** Bytes, as the kernel counts them now. */
export function sizeOfDisk(device: string): number {
  const sectors = readFileSync(`/sys/block/${path.basename(device)}/size`, 'utf8')
  return Number(sectors) * 512
}
