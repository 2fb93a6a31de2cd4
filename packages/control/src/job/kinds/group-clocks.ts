/** How the clocks of the members' productions stood when they were marked. */
import { z } from 'zod'
import { type ClockReading, HEARTBEAT_ERROR_MS } from '../../group/moment.ts'
import type { Db } from '../../http/handler-context.ts'
import type { JobRow } from '../definition.ts'

const markTold = z.object({
  clock: z.object({ offsetMs: z.number(), errorMs: z.number() }).nullable().default(null),
})

/** Clocks of production against the server's: the agent's reading, and the agent's own clock. */
export async function readClocks(
  db: Db,
  jobs: readonly JobRow[],
): Promise<(ClockReading | null)[]> {
  const hosts = await db.selectFrom('host').select(['id', 'clockSkewMs']).execute()
  const standbys = await db
    .selectFrom('sourceDatabase')
    .innerJoin('source', 'source.id', 'sourceDatabase.sourceId')
    .select(['sourceDatabase.sourceId', 'sourceDatabase.stagingHostId', 'source.hostId'])
    .where(
      'sourceDatabase.sourceId',
      'in',
      jobs.map((job) => job.sourceId ?? ''),
    )
    .execute()
  const placed = jobs.map((job) => {
    const row = standbys.find(({ sourceId }) => sourceId === job.sourceId)
    return row?.stagingHostId ?? row?.hostId
  })
  const isOneHost = new Set(placed).size === 1
  return jobs.map((job, i) => {
    const told = markTold.safeParse(JSON.parse(job.resultJson ?? '{}')).data?.clock ?? null
    if (told === null || isOneHost) return told
    const skewMs = hosts.find(({ id }) => id === placed[i])?.clockSkewMs ?? 0
    return { offsetMs: told.offsetMs + skewMs, errorMs: told.errorMs + HEARTBEAT_ERROR_MS }
  })
}
