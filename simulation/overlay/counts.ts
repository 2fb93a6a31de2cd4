/** What a run of overlay worlds did. */
export interface OverlayCounts {
  seeds: number
  steps: number
  kills: number
  powerLosses: number
  prepareCrashes: number
  writes: number
  trims: number
  flushes: number
  compactions: number
  reads: number
  failedFlushes: number
  refused: number
}

export function zeroOverlayCounts(): OverlayCounts {
  return {
    seeds: 0,
    steps: 0,
    kills: 0,
    powerLosses: 0,
    prepareCrashes: 0,
    writes: 0,
    trims: 0,
    flushes: 0,
    compactions: 0,
    reads: 0,
    failedFlushes: 0,
    refused: 0,
  }
}
