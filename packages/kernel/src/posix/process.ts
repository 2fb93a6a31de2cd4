/** The process itself: its name, what ends it, and waiting on descriptors without the loop. */
import { assert } from '../assert.ts'
import { E } from './constants.ts'
import { answer, bind, cString, checked, lazily } from './library.ts'

type Poll = (set: Buffer, count: number, timeoutMs: number) => number
type Prctl = (option: number, value: number) => number
type PrctlLong = (option: number, a: number, b: number, c: number, d: number) => number
type PrctlText = (option: number, text: Uint8Array) => number

const native = lazily(() => ({
  getuid: bind<() => number>('getuid', 'uint', ''),
  geteuid: bind<() => number>('geteuid', 'uint', ''),
  umask: bind<(mask: number) => number>('umask', 'uint', 'uint'),
  poll: bind<Poll>('poll', 'int', 'void *, ulong, int'),
  prctl: bind<Prctl>('prctl', 'int', 'int, ulong'),
  prctlLong: bind<PrctlLong>('prctl', 'int', 'int, ulong, ulong, ulong, ulong'),
  prctlText: bind<PrctlText>('prctl', 'int', 'int, void *'),
}))

const PR_SET_PDEATHSIG = 1
const PR_SET_NAME = 15
const PR_SET_IO_FLUSHER = 57

/** Longest name the kernel keeps, without its NUL (TASK_COMM_LEN - 1). */
export const THREAD_NAME_MAX = 15

export const getuid = (): number => native().getuid()
/** Whom the kernel asks about permission. */
export const geteuid = (): number => native().geteuid()
/** Sets the mask of this whole process. @returns the one before */
export const umask = (mask: number): number => native().umask(mask)

/**
 * The kernel sends the signal to this process when the thread that began it ends; 0 takes it
 * back. Call it first thing, then check that the parent is still the expected one.
 *
 * @throws MaasError FS_*
 */
export function setParentDeathSignal(signal: number): void {
  checked(answer(native().prctl(PR_SET_PDEATHSIG, signal)), 'prctl')
}

/**
 * Tells the kernel that it writes to a disk which this process serves: memory it needs for that
 * is then found without writing to that disk first, which nobody would answer. Threads begun
 * afterwards inherit it.
 *
 * @returns false where it may not (CAP_SYS_RESOURCE) or the kernel does not know it (before 5.6)
 */
export function setIoFlusher(): boolean {
  const result = answer(native().prctlLong(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
  if (result === -E.EPERM || result === -E.EINVAL) return false
  checked(result, 'prctl')
  return true
}

/** The name of this thread in ps and top, cut to THREAD_NAME_MAX bytes. */
export function setThreadName(name: string): void {
  const bytes = Buffer.from(name, 'utf8').subarray(0, THREAD_NAME_MAX)
  checked(answer(native().prctlText(PR_SET_NAME, cString(bytes))), 'prctl')
}

// poll.h.
export const POLLIN = 0x1
export const POLLOUT = 0x4
export const POLLERR = 0x8
export const POLLHUP = 0x10
export const POLLNVAL = 0x20

export interface PollEntry {
  readonly fd: number
  /** POLLIN, POLLOUT */
  readonly events: number
}

/** Descriptors in one poll; an engine thread waits on a handful. */
export const POLL_ENTRIES_MAX = 64
/** struct pollfd: s32 fd, s16 events, s16 revents. */
const pollSet = Buffer.alloc(POLL_ENTRIES_MAX * 8)

/**
 * Blocks the thread until a descriptor is ready.
 *
 * @param timeoutMs -1 waits for ever
 * @param ready receives the events of each entry, 0 when nothing
 * @returns how many are ready, 0 after the time, or minus errno (EINTR)
 */
export function poll(entries: readonly PollEntry[], timeoutMs: number, ready: number[]): number {
  assert(entries.length <= POLL_ENTRIES_MAX, 'the entries fit one poll')
  for (let i = 0; i < entries.length; i += 1) {
    pollSet.writeInt32LE(entries[i]!.fd, i * 8)
    pollSet.writeInt16LE(entries[i]!.events, i * 8 + 4)
    pollSet.writeInt16LE(0, i * 8 + 6)
  }
  const count = answer(native().poll(pollSet, entries.length, timeoutMs))
  for (let i = 0; i < entries.length; i += 1) ready[i] = pollSet.readInt16LE(i * 8 + 6)
  return count
}
