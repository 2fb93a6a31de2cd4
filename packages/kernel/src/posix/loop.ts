/**
 * Loop devices: a file as a block device of the kernel. Needs root and /dev/loop-control.
 *
 * struct loop_config (linux/loop.h), 304 bytes:
 *
 *   offset size field
 *        0  u32 fd                   the backing file
 *        4  u32 block_size           logical block, 512–4096; 0 means 512
 *        8  232 info                 struct loop_info64, below
 *      240   64 reserved             zero
 *
 * struct loop_info64, 232 bytes:
 *
 *        0  u64 lo_device            44  u32 lo_encrypt_type (0)
 *        8  u64 lo_inode             48  u32 lo_encrypt_key_size (0)
 *       16  u64 lo_rdevice           52  u32 lo_flags
 *       24  u64 lo_offset            56   64 lo_file_name, NUL-padded
 *       32  u64 lo_sizelimit        120   64 lo_crypt_name
 *       40  u32 lo_number           184   32 lo_encrypt_key, then 16 lo_init
 */
import { assert } from '../assert.ts'
import { MaasError } from '../errors.ts'
import { AT_FDCWD, E, O_RDONLY, O_RDWR } from './constants.ts'
import { close, openat } from './files.ts'
import { answer, bind, cString, checked, displayName, lazily } from './library.ts'

const LOOP_CLR_FD = 0x4c01
const LOOP_GET_STATUS64 = 0x4c05
const LOOP_SET_CAPACITY = 0x4c07
const LOOP_SET_DIRECT_IO = 0x4c08
const LOOP_CONFIGURE = 0x4c0a
const LOOP_CTL_REMOVE = 0x4c81
const LOOP_CTL_GET_FREE = 0x4c82

export const LO_FLAGS_READ_ONLY = 1
export const LO_FLAGS_AUTOCLEAR = 4
export const LO_FLAGS_PARTSCAN = 8
export const LO_FLAGS_DIRECT_IO = 16

const CONFIG_SIZE = 304
const INFO_OFFSET = 8
const INFO_SIZE = 232
const FILE_NAME_OFFSET = 56
/** Bytes of the file name that the kernel shows, with its NUL (LO_NAME_SIZE). */
const FILE_NAME_SIZE = 64

/** Another process may take the free device first; each turn needs one more such process. */
const ATTACH_TRIES_MAX = 16

type Ioctl = (fd: number, request: number, value: number) => number
type IoctlBytes = (fd: number, request: number, bytes: Buffer) => number
const native = lazily(() => ({
  ioctl: bind<Ioctl>('ioctl', 'int', 'int, ulong, long'),
  ioctlBytes: bind<IoctlBytes>('ioctl', 'int', 'int, ulong, void *'),
}))

export interface LoopOptions {
  /** The backing file, open for writing unless `readOnly`. */
  readonly fd: number
  /** Shown by losetup; cut to 63 bytes. */
  readonly name: string
  /** Logical block size, a power of two, 512–4096. */
  readonly blockSize: number
  readonly readOnly: boolean
  /** Bypass the page cache of the backing file, where it can. */
  readonly directIo: boolean
  /** The kernel frees the device when its last user closes it. */
  readonly autoClear?: boolean
  readonly partitionScan?: boolean
}

export interface LoopDevice {
  readonly number: number
  /** `/dev/loop7` */
  readonly path: string
}

export interface LoopStatus {
  readonly backingInode: bigint
  readonly flags: number
  readonly name: string
}

/** The bytes of struct loop_config. */
export function encodeLoopConfig(options: LoopOptions): Buffer {
  const { blockSize } = options
  assert(blockSize >= 512 && blockSize <= 4096, 'a loop block is 512 to 4096 bytes')
  const config = Buffer.alloc(CONFIG_SIZE)
  config.writeUInt32LE(options.fd, 0)
  config.writeUInt32LE(blockSize, 4)
  const flags =
    (options.readOnly ? LO_FLAGS_READ_ONLY : 0) |
    (options.autoClear === true ? LO_FLAGS_AUTOCLEAR : 0) |
    (options.partitionScan === true ? LO_FLAGS_PARTSCAN : 0) |
    (options.directIo ? LO_FLAGS_DIRECT_IO : 0)
  config.writeUInt32LE(flags, INFO_OFFSET + 52)
  const name = Buffer.from(options.name, 'utf8').subarray(0, FILE_NAME_SIZE - 1)
  name.copy(config, INFO_OFFSET + FILE_NAME_OFFSET)
  return config
}

/**
 * Attaches a file to the first free loop device.
 *
 * @throws MaasError FS_DENIED without root, FS_NOT_FOUND without loop devices, FS_IO
 */
export function attachLoop(options: LoopOptions): LoopDevice {
  const config = encodeLoopConfig(options)
  const control = checked(
    openat(AT_FDCWD, cString('/dev/loop-control'), O_RDWR),
    'open',
    '/dev/loop-control',
  )
  try {
    for (let tried = 0; tried < ATTACH_TRIES_MAX; tried += 1) {
      const number = checked(answer(native().ioctl(control, LOOP_CTL_GET_FREE, 0)), 'get free loop')
      const path = `/dev/loop${number}`
      const access = options.readOnly ? O_RDONLY : O_RDWR
      const result = onDevice(path, access, (fd) =>
        answer(native().ioctlBytes(fd, LOOP_CONFIGURE, config)),
      )
      if (result === 0) return { number, path }
      if (result !== -E.EBUSY) checked(result, 'configure loop', path)
    }
  } finally {
    close(control)
  }
  const details = { tries: ATTACH_TRIES_MAX }
  throw new MaasError('MEDIUM_ATTACH_FAILED', 'no loop device stayed free', details)
}

function onDevice(path: string, flags: number, work: (fd: number) => number): number {
  const fd = openat(AT_FDCWD, cString(path), flags)
  if (fd < 0) return fd
  try {
    return work(fd)
  } finally {
    close(fd)
  }
}

/**
 * Detaches the file. A device in use is freed by the kernel when its last user is gone.
 *
 * @returns false when nothing was attached
 * @throws MaasError FS_*
 */
export function detachLoop(path: string): boolean {
  const result = onDevice(path, O_RDONLY, (fd) => answer(native().ioctl(fd, LOOP_CLR_FD, 0)))
  if (result === -E.ENXIO || result === -E.ENOENT) return false
  checked(result, 'detach loop', path)
  return true
}

/** @returns undefined when nothing is attached. @throws MaasError FS_* */
export function loopStatus(path: string): LoopStatus | undefined {
  const info = Buffer.alloc(INFO_SIZE)
  const result = onDevice(path, O_RDONLY, (fd) =>
    answer(native().ioctlBytes(fd, LOOP_GET_STATUS64, info)),
  )
  if (result === -E.ENXIO || result === -E.ENOENT) return undefined
  checked(result, 'loop status', path)
  const name = info.subarray(FILE_NAME_OFFSET, FILE_NAME_OFFSET + FILE_NAME_SIZE)
  return {
    backingInode: info.readBigUInt64LE(8),
    flags: info.readUInt32LE(52),
    name: displayName(name.subarray(0, name.indexOf(0))),
  }
}

/** @returns 0, or minus errno when the backing file cannot (EINVAL) */
export function setLoopDirectIo(path: string, on: boolean): number {
  return onDevice(path, O_RDONLY, (fd) =>
    answer(native().ioctl(fd, LOOP_SET_DIRECT_IO, on ? 1 : 0)),
  )
}

/** The kernel reads the size of the backing file again. @throws MaasError FS_* */
export function refreshLoopSize(path: string): void {
  const result = onDevice(path, O_RDONLY, (fd) => answer(native().ioctl(fd, LOOP_SET_CAPACITY, 0)))
  checked(result, 'refresh loop size', path)
}

/** Takes the device node away; refused (false) while it is in use. @throws MaasError FS_* */
export function removeLoop(number: number): boolean {
  const result = onDevice('/dev/loop-control', O_RDWR, (fd) =>
    answer(native().ioctl(fd, LOOP_CTL_REMOVE, number)),
  )
  if (result === -E.EBUSY || result === -E.ENODEV) return false
  checked(result, 'remove loop', `/dev/loop${number}`)
  return true
}
