/**
 * Progress counters in shared memory: each lane writes its own, the coordinator adds them up.
 * A number is one aligned 64-bit store, so a reader sees an old or a new one, nothing between.
 */
import { assert } from '@openmaas/kernel/assert'

const FIELDS = [
  'entries',
  'files',
  'unchangedFiles',
  'directories',
  'bytes',
  'bytesRead',
  'newBytes',
  'storedBytes',
  'warnings',
] as const
export type CounterName = (typeof FIELDS)[number]
export type Counters = Record<CounterName, number>

/** One cache line and a half; lanes do not share lines. */
const LANE_STRIDE = 16

export function makeCounterMemory(lanes: number): SharedArrayBuffer {
  assert(FIELDS.length <= LANE_STRIDE, 'the counters of a lane fit its stride')
  return new SharedArrayBuffer(lanes * LANE_STRIDE * 8)
}

/** The counters of one lane. */
export class LaneCounters {
  readonly #values: Float64Array

  constructor(memory: SharedArrayBuffer, lane: number) {
    this.#values = new Float64Array(memory, lane * LANE_STRIDE * 8, FIELDS.length)
  }

  add(name: CounterName, count: number): void {
    const at = FIELDS.indexOf(name)
    this.#values[at]! += count
  }

  set(name: CounterName, value: number): void {
    this.#values[FIELDS.indexOf(name)] = value
  }
}

export function sumCounters(memory: SharedArrayBuffer): Counters {
  const values = new Float64Array(memory)
  const sums = Object.fromEntries(FIELDS.map((name) => [name, 0])) as Counters
  for (let base = 0; base < values.length; base += LANE_STRIDE) {
    for (const [i, name] of FIELDS.entries()) sums[name] += values[base + i]!
  }
  return sums
}
