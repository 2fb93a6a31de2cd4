/**
 * Mounts the engine's one-file FUSE system. The mount is made before anyone serves it: requests
 * wait in the kernel until the engine, which inherits the descriptor, begins to read.
 */
import { readFileSync } from 'node:fs'
import { MaasError } from '@openmaas/kernel/errors'
import { AT_FDCWD, O_NONBLOCK, O_RDWR } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import { MNT_DETACH, mount, MS_NODEV, MS_NOSUID, unmount } from '@openmaas/kernel/posix/mount'

/** @returns the descriptor of /dev/fuse that serves the mount. @throws MaasError FS_* */
export function mountFuse(target: string, name: string): number {
  const fd = checked(
    openat(AT_FDCWD, cString('/dev/fuse'), O_RDWR | O_NONBLOCK),
    'open',
    '/dev/fuse',
  )
  try {
    mount({
      source: name,
      target,
      type: 'fuse',
      flags: MS_NOSUID | MS_NODEV,
      data: `fd=${fd},rootmode=40000,user_id=0,group_id=0`,
    })
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

/** One line of /proc/self/mounts. */
export interface MountEntry {
  readonly source: string
  readonly target: string
  readonly type: string
}

export function listMounts(): MountEntry[] {
  // The kernel writes blanks and backslashes of paths as octal escapes.
  const plain = (text: string): string =>
    text.replaceAll(/\\(\d{3})/g, (_match, octal: string) =>
      String.fromCodePoint(Number.parseInt(octal, 8)),
    )
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [source, target, type] = line.split(' ')
      return { source: plain(source ?? ''), target: plain(target ?? ''), type: type ?? '' }
    })
}

/**
 * Unmounts what stands at the path, when anything does. For FUSE alone, which has nothing to write
 * back: a file system on a disk may make its caller wait (attach-linux.ts).
 *
 * @param options.force take the name away even while it is used: for mounts whose engine is gone
 * @throws MaasError MEDIUM_BUSY while a program uses it
 */
export function unmountIfMounted(target: string, options: { force: boolean }): void {
  // Bounded by the mounts stacked on one path, of which we make one.
  while (listMounts().some((entry) => entry.target === target)) {
    if (unmount(target, options.force ? MNT_DETACH : 0)) continue
    throw new MaasError('MEDIUM_BUSY', `a program still uses ${target}`, { path: target })
  }
}
