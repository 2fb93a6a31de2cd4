/**
 * Memory that a thread uses again and again: the codec with its scratch, and pack buffers. Aligned
 * buffers take address space that is given back late (kernel posix/align); so what a lane is done
 * with waits here for the next one.
 */
import { alignedBuffer } from '@openmaas/kernel/posix/align'
import { makePrimitives } from '../chunk/native-primitives.ts'
import { PayloadCodec } from '../chunk/payload-codec.ts'

/** Idle buffers kept per thread: what two lanes fill at once. */
const IDLE_BUFFERS_MAX = 4

let codec: PayloadCodec | undefined
const idle: Buffer[] = []

/** The thread's codec: no call of it leaves anything behind that a later one needs. */
export function threadCodec(): PayloadCodec {
  codec ??= new PayloadCodec(makePrimitives())
  return codec
}

/** A page-aligned buffer of exactly that size, with old content. */
export function takePackBuffer(size: number): Buffer {
  const index = idle.findIndex((buffer) => buffer.length === size)
  return index >= 0 ? idle.splice(index, 1)[0]! : alignedBuffer(size)
}

/** Nobody may use the buffer afterwards. */
export function givePackBuffer(buffer: Buffer): void {
  if (idle.length < IDLE_BUFFERS_MAX) idle.push(buffer)
}
