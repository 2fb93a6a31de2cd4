/**
 * What a run must have done to mean anything: counts per thousand seeds of 2,000 steps, about half
 * of what they usually are. A change that lets the worlds sleep fails here, and does not pass.
 */
import type { WorldKind } from './harness/jobs.ts'

export const MINIMA_PER_1000: Readonly<Record<WorldKind, Readonly<Record<string, number>>>> = {
  pool: {
    steps: 2_000_000,
    crashes: 3000,
    powerLosses: 3000,
    recoveryCrashes: 400,
    opens: 3500,
    commits: 2000,
    deletes: 700,
    lockRefusals: 100,
    reads: 2500,
    foreignReads: 500,
    gcRuns: 1500,
    condemned: 3000,
    gcDeletes: 500,
    compactions: 80,
    scrubs: 600,
    repairs: 80,
    damages: 200,
    lostBricks: 70,
    failedSyncs: 250,
    failedCalls: 1500,
    noSpace: 150,
    clockJumps: 80,
    checks: 3500,
  },
  overlay: {
    steps: 2_000_000,
    kills: 3500,
    powerLosses: 3500,
    prepareCrashes: 500,
    writes: 120_000,
    trims: 80_000,
    flushes: 60_000,
    compactions: 15_000,
    reads: 30_000,
    failedFlushes: 2000,
    refused: 6000,
  },
}

/** Small runs vary too much to be judged. */
const SEEDS_JUDGED_MIN = 500

/** @returns a sentence for each count that is too low */
export function missedMinima(
  kind: WorldKind,
  counts: Readonly<Record<string, number>>,
  seeds: number,
): string[] {
  if (seeds < SEEDS_JUDGED_MIN) return []
  return Object.entries(MINIMA_PER_1000[kind]).flatMap(([name, per1000]) => {
    const wanted = Math.floor((per1000 * seeds) / 1000)
    const found = counts[name] ?? 0
    return found >= wanted
      ? []
      : [`${kind}: only ${found} ${name}, at least ${wanted} are expected`]
  })
}
