/** mount(2) and umount2(2), for attaching what a pool shows as a disk. Needs root. */
import { E } from './constants.ts'
import { answer, bind, type CString, cString, checked, lazily } from './library.ts'

// sys/mount.h.
export const MS_RDONLY = 0x1
export const MS_NOSUID = 0x2
export const MS_NODEV = 0x4
export const MS_NOEXEC = 0x8
export const MS_REMOUNT = 0x20
export const MS_NOATIME = 0x400
export const MS_BIND = 0x1000
export const MNT_FORCE = 1
export const MNT_DETACH = 2
export const UMOUNT_NOFOLLOW = 8

type Mount = (
  source: CString | null,
  target: CString,
  type: CString | null,
  flags: number,
  data: CString | null,
) => number

const native = lazily(() => ({
  mount: bind<Mount>('mount', 'int', 'void *, void *, void *, ulong, void *'),
  umount2: bind<(target: CString, flags: number) => number>('umount2', 'int', 'void *, int'),
}))

export interface MountOptions {
  readonly source: string
  readonly target: string
  /** Type of file system: `ext4`, `fuse`. */
  readonly type: string
  /** MS_* */
  readonly flags?: number
  /** The file system's own options, comma-separated. */
  readonly data?: string
}

/** @returns 0 or minus errno (EBUSY, EPERM; EINVAL and EUCLEAN for what is no such file system) */
export function tryMount(options: MountOptions): number {
  const { source, target, type, flags = 0, data } = options
  const bytes = data === undefined ? null : cString(data)
  return answer(native().mount(cString(source), cString(target), cString(type), flags, bytes))
}

/** @throws MaasError FS_* */
export function mount(options: MountOptions): void {
  checked(tryMount(options), 'mount', options.target)
}

/**
 * @param flags MNT_DETACH takes the name away now and the rest when the last user is gone
 * @returns false when it is in use
 * @throws MaasError FS_*, with details.errno EINVAL when nothing is mounted there
 */
export function unmount(target: string, flags = 0): boolean {
  const result = answer(native().umount2(cString(target), flags | UMOUNT_NOFOLLOW))
  if (result === -E.EBUSY) return false
  checked(result, 'umount', target)
  return true
}
