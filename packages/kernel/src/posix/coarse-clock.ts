/**
 * The clock that file systems take their times from: it stands still between two ticks of the
 * kernel, 10 ms at most, and longer where a hypervisor has taken the CPU away. The system's own
 * clock may be ahead of it by as much, so only this one tells whether a tick has passed since a
 * file was changed. clock_gettime(2).
 */
import { answer, bind, checked, lazily } from './library.ts'

type GetTime = (clock: number, time: Uint8Array) => number

const CLOCK_REALTIME_COARSE = 5
/** struct timespec: seconds and nanoseconds, of 8 bytes each. */
const time = Buffer.alloc(16)
const native = lazily(() => ({
  clockGettime: bind<GetTime>('clock_gettime', 'int', 'int, void *'),
}))

/** Milliseconds since 1970, with a fraction. @throws MaasError FS_*, PLATFORM_UNSUPPORTED */
export function coarseNowMs(): number {
  checked(answer(native().clockGettime(CLOCK_REALTIME_COARSE, time)), 'clock_gettime')
  return time.readUIntLE(0, 6) * 1000 + time.readUInt32LE(8) / 1e6
}
