/** openmaas.json of a volume with MariaDB or MySQL on it. */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import { readState, writeState } from '@openmaas/source-kit/state-file'

/**
 * Of the points taken last, so many have the log that leads to them in log/: a point that was
 * marked and never sealed costs no second of any-second recovery.
 */
export const MARKS_MAX = 16

const mark = z.object({
  /** By production's clock. */
  atMs: z.number(),
  position: z.string(),
  /** The log that begins after it. */
  file: z.string(),
})
export type Mark = z.output<typeof mark>

export const recoveredTo = z.object({
  position: z.string(),
  detail: z.string(),
  timeMs: z.number().nullable(),
})

const stateSchema = z.object({
  engine: z.literal('mysql'),
  product: z.enum(['mariadb', 'mysql']),
  version: z.string(),
  identity: z.string(),
  /** `standby` of production, or an `instance` of its own on a clone. */
  role: z.enum(['standby', 'instance']),
  /** False while the copy is being made: what is in data/ is nothing yet. */
  seeded: z.boolean(),
  seedPosition: z.string(),
  /** MariaDB: the standby was told where its copy stands; MySQL's copies know. */
  positioned: z.boolean().default(false),
  /** Of an instance. */
  recoveredTo: recoveredTo.nullable().default(null),
  /** Settings of production that its data directory or its meaning depends on. */
  settings: z.record(z.string(), z.string()),
  retainedLimitBytes: z.number().nullable().default(null),
  synchronous: z.boolean().default(false),
  /** When log was removed that no point had taken yet; null: since the last point none was. */
  logCutAtMs: z.number().nullable().default(null),
  /** The request that this copy was made for, where one had to be made anew. */
  seedRequest: z.string().nullable().default(null),
  /** Oldest first. */
  marks: z.array(mark).max(MARKS_MAX).default([]),
})
export type VolumeState = z.output<typeof stateSchema>

export function loadState(layout: Pick<VolumeLayout, 'state'>): VolumeState | null {
  return readState(layout.state, stateSchema)
}

/** @throws MaasError DATABASE_NOT_SEEDED */
export function loadSeeded(layout: Pick<VolumeLayout, 'state'>): VolumeState {
  const state = loadState(layout)
  if (state?.seeded === true) return state
  const message = 'the volume holds no whole copy of a database'
  throw new MaasError('DATABASE_NOT_SEEDED', message, { path: layout.state })
}

export function saveState(layout: Pick<VolumeLayout, 'state'>, state: VolumeState): void {
  writeState(layout.state, state)
}
