/**
 * Opening a path beneath a directory without ever following a symbolic link, by openat2(2) where
 * the kernel has it (5.6), else name by name.
 *
 * struct open_how: u64 flags, u64 mode, u64 resolve.
 */
import { E, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_PATH } from './constants.ts'
import { close, openat } from './files.ts'
import { answer, bind, cString, lazily } from './library.ts'

const SYS_openat2 = 437
const RESOLVE_NO_MAGICLINKS = 0x02
const RESOLVE_NO_SYMLINKS = 0x04
const RESOLVE_BENEATH = 0x08
/** The kernel takes shorter paths only; longer ones are opened in pieces. */
const PATH_MAX = 4096

type Syscall = (
  number: number,
  dirfd: number,
  path: Uint8Array,
  how: Buffer,
  size: number,
) => number
const native = lazily(() => ({
  openat2: bind<Syscall>('syscall', 'long', 'long, long, void *, void *, size_t'),
}))
const how = Buffer.alloc(24)
let hasOpenat2 = true

/**
 * @param path names joined by "/", without NUL, "." or ".."; empty opens the directory itself
 * @returns a file descriptor, or minus errno: ELOOP when a link stands on the way
 */
export function openBeneath(dirfd: number, path: Buffer, flags: number): number {
  const wanted = flags | O_NOFOLLOW | O_CLOEXEC
  if (path.length === 0) return openat(dirfd, cString('.'), wanted)
  if (path.length >= PATH_MAX || !hasOpenat2) return openByName(dirfd, path, wanted)
  how.writeUInt32LE(wanted, 0)
  how.writeUInt32LE(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, 16)
  for (;;) {
    const result = answer(native().openat2(SYS_openat2, dirfd, cString(path), how, how.length))
    // EAGAIN: something on the way was renamed meanwhile and the kernel cannot be sure.
    if (result === -E.EINTR || result === -E.EAGAIN) continue
    // A seccomp filter of a container may answer EPERM for a call it does not know.
    if (result !== -E.ENOSYS && result !== -E.EPERM) return result
    hasOpenat2 = false
    return openByName(dirfd, path, wanted)
  }
}

function openByName(dirfd: number, path: Buffer, flags: number): number {
  let current = dirfd
  let start = 0
  try {
    for (;;) {
      const slash = path.indexOf(0x2f, start)
      const last = slash < 0
      const name = cString(Buffer.from(path.subarray(start, last ? path.length : slash)))
      const next = openat(current, name, last ? flags : O_PATH | O_DIRECTORY | O_NOFOLLOW)
      if (last || next < 0) return next
      if (current !== dirfd) close(current)
      current = next
      start = slash + 1
    }
  } finally {
    if (current !== dirfd) close(current)
  }
}
