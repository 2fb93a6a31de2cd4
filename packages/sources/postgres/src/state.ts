/** openmaas.json on the volume of a PostgreSQL database. */
import { z } from 'zod'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import { readState, writeState } from '@openmaas/source-kit/state-file'
import { MaasError } from '@openmaas/kernel/errors'
import { slotName, SOCKET_PORT } from './place.ts'

/** Moments that log/ can tell apart; the newest last. */
export const MARKS_MAX = 200

const mark = z.object({
  /** By the clock of production. */
  atMs: z.number(),
  /** All that was committed before is at or before it. */
  lsn: z.string(),
  timeline: z.number().int(),
  /** Names of the segments sort by it: what is older is not needed after this mark. */
  segment: z.string(),
})
export type Mark = z.output<typeof mark>

export const postgresState = z.object({
  engine: z.literal('postgres'),
  format: z.literal(1),
  phase: z.enum(['seeding', 'seeded', 'activated']),
  /** "15.20". */
  version: z.string(),
  major: z.number().int(),
  systemIdentifier: z.string(),
  segmentSize: z.number().int(),
  /** Bootstrap superuser: whom the plug-in is on standbys and clones. */
  superuser: z.string(),
  slot: z.string(),
  marks: z.array(mark).max(MARKS_MAX),
  /** When log was removed that no point had taken yet; null: since the last point none was. */
  logCutAtMs: z.number().nullable().default(null),
  /** The request that this copy was made for, where one had to be made anew. */
  seedRequest: z.string().nullable().default(null),
  /** Why the slot was given up; only a new seed or a new slot ends it. */
  givenUp: z.string().nullable(),
  retainedLimitBytes: z.number().nullable(),
  /** Of production, as each mark found them: for an instance that takes its place. */
  productionSettings: z.record(z.string(), z.string()).default({}),
  /** Of an activated clone: whose it is, so that a repeated request finds it again. */
  instance: z.object({ id: z.string(), port: z.number(), recovered: z.boolean() }).nullable(),
})
export type PostgresState = z.output<typeof postgresState>

/** @throws MaasError DATABASE_NOT_SEEDED, DATABASE_STATE_INVALID */
export function loadState(layout: VolumeLayout): PostgresState {
  const state = readState(layout.state, postgresState)
  if (state !== null && state.phase !== 'seeding') return state
  const message = 'the volume holds no whole copy of a database yet'
  throw new MaasError('DATABASE_NOT_SEEDED', message, { directory: layout.directory })
}

export function findState(layout: VolumeLayout): PostgresState | null {
  return readState(layout.state, postgresState)
}

/** A clone in live sync stands on a port of its own, and has a slot of its own on production. */
export function standbyOf(
  id: string,
  { instance, slot }: Pick<PostgresState, 'instance' | 'slot'>,
): { readonly port: number; readonly slot: string } {
  const isLive = instance?.id === id && !instance.recovered
  return isLive ? { port: instance.port, slot: slotName(id) } : { port: SOCKET_PORT, slot }
}

export function saveState(layout: VolumeLayout, state: PostgresState): void {
  writeState(layout.state, state)
}
