/** The bandwidth calendar: which limit holds now. */
import type { PolicySpec } from '@openmaas/api/policy'
import { findOpen } from './windows.ts'
import { zoneOf } from './zone.ts'

/** Bytes per second, or null for none: the first rule whose window is open. */
export function bandwidthAt(spec: PolicySpec, at: number): number | null {
  return findOpen(zoneOf(spec.timezone), spec.bandwidth, at)?.bytesPerSecond ?? null
}

/** The stricter of two limits, null being none. */
export function stricterLimit(first: number | null, second: number | null): number | null {
  if (first === null) return second
  return second === null ? first : Math.min(first, second)
}
