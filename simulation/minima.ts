/**
 * What a run must have done to mean anything: counts per thousand seeds of 2,000 steps, about half
 * of what they usually are. A change that lets the worlds sleep fails here, and does not pass.
 */
import type { WorldKind } from './harness/jobs.ts'

export const MINIMA_PER_1000: Readonly<Record<WorldKind, Readonly<Record<string, number>>>> = {
  pool: {
    steps: 2_000_000,
    crashes: 2400,
    powerLosses: 2700,
    recoveryCrashes: 400,
    opens: 3000,
    commits: 2600,
    aborts: 400,
    deletes: 1000,
    lockRefusals: 150,
    reads: 8000,
    foreignReads: 450,
    secondOwners: 150,
    gcRuns: 1800,
    condemned: 3500,
    gcDeletes: 1000,
    compactions: 160,
    scrubs: 450,
    repairs: 50,
    damages: 160,
    lostBricks: 50,
    degradedReads: 100,
    doomed: 150,
    failedSyncs: 160,
    failedCalls: 1100,
    noSpace: 150,
    clockJumps: 140,
    checks: 3000,
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
