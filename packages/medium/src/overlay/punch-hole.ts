/** Gives the space of trimmed grains back to the file system, where it can. */
import type { FileHandle } from '@openmaas/kernel/fs'
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from '@openmaas/kernel/posix/constants'
import { fallocate } from '@openmaas/kernel/posix/files'
import { posixAvailable } from '@openmaas/kernel/posix/library'

/**
 * For NodeFs, whose handles are descriptors. A refusal (a file system without holes) is no
 * failure: the grain reads as zeros by its state, only the space stays taken.
 */
export function punchHole(file: FileHandle, offset: number, length: number): void {
  if (!posixAvailable()) return
  fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length)
}
