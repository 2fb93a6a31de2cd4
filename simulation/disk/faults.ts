/** Which calls of the simulated disk fail, how often, and where. Probabilities are per call. */
import type { SeededRandom } from '@openmaas/kernel/random'

export interface FaultRates {
  /** fdatasync answers EIO; what it did not write is lost (sim-file.ts). */
  dataSync: number
  /** fsync of a directory answers EIO; its changes stay pending. */
  syncDirectory: number
  /** EIO or ENOSPC, with a part of the bytes written. */
  write: number
  /** EMFILE, ENOMEM. */
  open: number
  /** EIO, on the faulty brick only: one copy of everything must do. */
  read: number
  /** EIO on rename, unlink, mkdir, readdir. */
  name: number
}

export const NO_FAULTS: FaultRates = {
  dataSync: 0,
  syncDirectory: 0,
  write: 0,
  open: 0,
  read: 0,
  name: 0,
}

/** Faults come in weather: most seeds see none or one kind, some see all. */
export function randomRates(random: SeededRandom): FaultRates {
  const rates = { ...NO_FAULTS }
  const weather = random.below(10)
  if (weather < 3) return rates
  const kinds = Object.keys(rates) as (keyof FaultRates)[]
  const count = weather < 8 ? 1 + random.below(2) : kinds.length
  for (let i = 0; i < count; i += 1) {
    const kind = weather < 8 ? kinds[random.below(kinds.length)]! : kinds[i]!
    rates[kind] = [0.002, 0.01, 0.03][random.below(3)]!
  }
  // The one that lies afterwards: half of the bad weather has it.
  if (random.below(2) === 0) rates.dataSync = 0.02
  return rates
}
