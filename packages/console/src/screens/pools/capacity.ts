/** The capacity stack of a pool and its growth, as numbers that are drawn. */
import type { Pool } from '@openmaas/api/resources/pool'
import type { AnswerOf } from '@openmaas/api/routes/routes'

export type LayerName = 'logical' | 'stored' | 'disk' | 'size'
export interface Layer {
  readonly name: LayerName
  readonly sizeBytes: number
  /** Of the widest layer, 0 to 1. */
  readonly share: number
}

/** From what people see to what disks have: each layer beside the widest of them. */
export function capacityLayers({ stats }: Pick<Pool, 'stats'>): Layer[] {
  const { logicalBytes, physicalBytes, sizeBytes, freeBytes } = stats
  const layers = [
    { name: 'logical', sizeBytes: logicalBytes },
    { name: 'stored', sizeBytes: physicalBytes },
    { name: 'disk', sizeBytes: Math.max(0, sizeBytes - freeBytes) },
    { name: 'size', sizeBytes },
  ] as const
  const widest = Math.max(...layers.map((layer) => layer.sizeBytes))
  return layers.map((layer) => ({ ...layer, share: widest === 0 ? 0 : layer.sizeBytes / widest }))
}

/** How many times less is stored than was protected; null before anything is. */
export function savingRatio({ stats }: Pick<Pool, 'stats'>): number | null {
  return stats.physicalBytes === 0 ? null : stats.logicalBytes / stats.physicalBytes
}

/** Of its disks, 0 to 1. */
export function usedShare({ stats }: Pick<Pool, 'stats'>): number {
  return stats.sizeBytes === 0 ? 0 : (stats.sizeBytes - stats.freeBytes) / stats.sizeBytes
}

export type PoolForecast = AnswerOf<'getForecast'>['pools'][number]
type Line = readonly (readonly [at: string, bytes: number])[]

const DAY_MS = 86_400_000
/** Farther than this a straight line says nothing. */
const AHEAD_DAYS_MAX = 90

/** The line from the last sample to where the pool is full; empty where nothing is foretold. */
export function lineAhead(forecast: PoolForecast): Line {
  const last = forecast.samples.at(-1)
  if (forecast.state !== 'growing' || last === undefined) return []
  const days = Math.min(forecast.daysToFull ?? AHEAD_DAYS_MAX, AHEAD_DAYS_MAX)
  const until = new Date(Date.parse(last.at) + days * DAY_MS).toISOString()
  const bytes = last.usedBytes + forecast.growthBytesPerDay * days
  return [
    [last.at, last.usedBytes],
    [until, Math.min(bytes, forecast.sizeBytes)],
  ]
}
