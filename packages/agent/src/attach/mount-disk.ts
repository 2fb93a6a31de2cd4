/** Mounts the file system of a disk, whichever it is. */
import { MaasError } from '@openmaas/kernel/errors'
import { E } from '@openmaas/kernel/posix/constants'
import { checked } from '@openmaas/kernel/posix/library'
import { MS_NODEV, MS_NOSUID, MS_RDONLY, tryMount } from '@openmaas/kernel/posix/mount'

/** Tried in this order when the type is not known: what a medium holds in practice. */
const FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs', 'vfat', 'ntfs3'] as const

/**
 * Waits for whoever serves the disk: not for a thread that others wait for (mount-process.ts).
 *
 * @throws MaasError MEDIUM_ATTACH_FAILED when no kernel file system takes it
 */
export function mountDisk(
  device: string,
  target: string,
  options: { readonly readOnly: boolean; readonly discard?: boolean },
): string {
  const flags = MS_NOSUID | MS_NODEV | (options.readOnly ? MS_RDONLY : 0)
  const refusals: string[] = []
  for (const type of FILE_SYSTEMS) {
    const data = dataOf(type, options)
    const result = tryMount({
      source: device,
      target,
      type,
      flags,
      ...(data.length > 0 && { data: data.join(',') }),
    })
    if (result === 0) return type
    if (result === -E.EBUSY || result === -E.EPERM || result === -E.EACCES) {
      checked(result, 'mount', target)
    }
    refusals.push(`${type}: errno ${-result}`)
  }
  throw new MaasError('MEDIUM_ATTACH_FAILED', `no file system of this kernel mounts ${device}`, {
    device,
    refusals,
  })
}

function dataOf(
  type: (typeof FILE_SYSTEMS)[number],
  { readOnly, discard = false }: { readonly readOnly: boolean; readonly discard?: boolean },
): string[] {
  const data: string[] = []
  // Clones of one disk are mounted beside it: xfs would refuse the second.
  if (type === 'xfs') data.push('nouuid')
  // A read-only disk cannot replay a journal; the snapshot's is empty or the state consistent.
  if (readOnly && type === 'ext4') data.push('noload')
  if (readOnly && type === 'xfs') data.push('norecovery')
  if (discard && !readOnly && (type === 'ext4' || type === 'xfs')) data.push('discard')
  return data
}
