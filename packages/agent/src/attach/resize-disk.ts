/** A disk that has grown where it is served grows here, and so does what is mounted from it. */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { DISK_NAME } from '@openmaas/protocols/fuse/disk-server'
import { growFileSystem, sizeOfDisk } from './file-system.ts'
import { runMountProcess } from './mount-process.ts'

/** The size is asked of whoever serves the disk, once. */
const SIZE_TIMEOUT_MS = 60_000

/**
 * The engine has told the kernel already that there is another size.
 *
 * @returns bytes of the disk
 * @throws MaasError MEDIUM_ATTACH_FAILED, MISSING_PROGRAM, CANCELLED, FS_*
 */
export async function resizeDisk(
  device: string,
  fuseMount: string,
  signal?: AbortSignal,
): Promise<number> {
  const request = { do: 'resize', target: device, file: path.join(fuseMount, DISK_NAME) } as const
  const done = await runMountProcess(request, { timeoutMs: SIZE_TIMEOUT_MS, signal })
  if (done === undefined) {
    const message = 'whoever serves the disk did not answer'
    throw new MaasError('MEDIUM_ATTACH_FAILED', message, { device })
  }
  await growFileSystem(device, signal)
  return sizeOfDisk(device)
}
