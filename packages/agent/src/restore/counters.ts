/** Progress in shared memory, one block of numbers per lane; see capture/counters.ts. */
const FIELDS = ['entries', 'files', 'directories', 'bytes', 'skipped', 'warnings'] as const
export type RestoreCounterName = (typeof FIELDS)[number]
const LANE_STRIDE = 8

export function makeRestoreCounters(lanes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(lanes * LANE_STRIDE * 8)
}

export class RestoreCounters {
  readonly #values: Float64Array

  constructor(memory: SharedArrayBuffer, lane: number) {
    this.#values = new Float64Array(memory, lane * LANE_STRIDE * 8, FIELDS.length)
  }

  add(name: RestoreCounterName, count: number): void {
    this.#values[FIELDS.indexOf(name)]! += count
  }

  set(name: RestoreCounterName, count: number): void {
    this.#values[FIELDS.indexOf(name)] = count
  }
}

export function sumRestoreCounters(memory: SharedArrayBuffer): Record<RestoreCounterName, number> {
  const values = new Float64Array(memory)
  const sums = Object.fromEntries(FIELDS.map((name) => [name, 0])) as Record<
    RestoreCounterName,
    number
  >
  for (let base = 0; base < values.length; base += LANE_STRIDE) {
    for (const [i, name] of FIELDS.entries()) sums[name] += values[base + i]!
  }
  return sums
}
