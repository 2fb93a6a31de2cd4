/**
 * From an errno of the operating system to a MaasError of the FS_* family. The one place that
 * decides, so that NodeFs, the posix calls and the simulated file system agree.
 */
import { constants } from 'node:os'
import { getSystemErrorMessage } from 'node:util'
import { type ErrorCode, MaasError } from './errors.ts'

/** errno names that mean something more special than FS_IO. */
const CODES: { readonly [name: string]: ErrorCode } = {
  ENOENT: 'FS_NOT_FOUND',
  ENOTDIR: 'FS_NOT_FOUND',
  EEXIST: 'FS_EXISTS',
  ENOTEMPTY: 'FS_EXISTS',
  ENOSPC: 'FS_NO_SPACE',
  EDQUOT: 'FS_NO_SPACE',
  EACCES: 'FS_DENIED',
  EPERM: 'FS_DENIED',
  EROFS: 'FS_DENIED',
  // The answer to opening a symbolic link with O_NOFOLLOW: the way in was refused.
  ELOOP: 'FS_DENIED',
  EMFILE: 'FS_LIMIT',
  ENFILE: 'FS_LIMIT',
  ENOMEM: 'FS_LIMIT',
}

/** Names that libuv leaves out of its table; Linux numbers. */
const EXTRA_NAMES: readonly (readonly [number, string])[] = [
  [108, 'ESHUTDOWN'],
  [117, 'EUCLEAN'],
  [121, 'EREMOTEIO'],
]

const NAMES = new Map<number, string>(EXTRA_NAMES)
for (const [name, number] of Object.entries(constants.errno)) {
  // EWOULDBLOCK and EOPNOTSUPP share numbers with EAGAIN and ENOTSUP: the first name stays.
  if (!NAMES.has(number)) NAMES.set(number, name)
}
NAMES.set(constants.errno.EAGAIN, 'EAGAIN')
NAMES.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP')

/** `2` → `ENOENT`; an unknown number → `E2`. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`
}

/** The FS_* code for an errno name. */
export function errnoCode(name: string): ErrorCode {
  return CODES[name] ?? 'FS_IO'
}

/**
 * @param call what was being done: the system call, or a few words
 * @param cause Node's own error, where there is one
 */
export function fsError(
  name: string,
  call: string,
  path: string | undefined,
  cause?: unknown,
): MaasError {
  const subject = path === undefined ? call : `${call} ${path}`
  const options = cause === undefined ? undefined : { cause }
  const message = `${subject}: ${inWords(name)}`
  return new MaasError(errnoCode(name), message, { path, errno: name }, options)
}

/** `EROFS` → `read-only file system`; a name that the system has no words for stays. */
function inWords(name: string): string {
  const number = (constants.errno as { readonly [name: string]: number })[name]
  return (number !== undefined && getSystemErrorMessage(-number)) || name
}
