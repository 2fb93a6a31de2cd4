/** What a run did; printed, and compared with minima so that an idle run does not pass. */
export interface Counts {
  seeds: number
  steps: number
  crashes: number
  powerLosses: number
  opens: number
  failedOpens: number
  recoveryCrashes: number
  commits: number
  aborts: number
  deletes: number
  lockRefusals: number
  refused: number
  reads: number
  foreignReads: number
  secondOwners: number
  degradedReads: number
  doomed: number
  gcRuns: number
  condemned: number
  gcDeletes: number
  compactions: number
  scrubs: number
  repairs: number
  damages: number
  lostBricks: number
  failedSyncs: number
  failedCalls: number
  noSpace: number
  clockJumps: number
  checks: number
}

export function zeroCounts(): Counts {
  return {
    seeds: 0,
    steps: 0,
    crashes: 0,
    powerLosses: 0,
    opens: 0,
    failedOpens: 0,
    recoveryCrashes: 0,
    commits: 0,
    aborts: 0,
    deletes: 0,
    lockRefusals: 0,
    refused: 0,
    reads: 0,
    foreignReads: 0,
    secondOwners: 0,
    degradedReads: 0,
    doomed: 0,
    gcRuns: 0,
    condemned: 0,
    gcDeletes: 0,
    compactions: 0,
    scrubs: 0,
    repairs: 0,
    damages: 0,
    lostBricks: 0,
    failedSyncs: 0,
    failedCalls: 0,
    noSpace: 0,
    clockJumps: 0,
    checks: 0,
  }
}

export function addCounts(sum: Counts, more: Counts): void {
  for (const key of Object.keys(sum) as (keyof Counts)[]) sum[key] += more[key]
}
