/**
 * Jobs that a job makes and waits for. The catalog is where both meet: a parent that is taken up
 * after a crash finds the children that it had made, and waits on.
 *
 * A parent holds one of the engine's places while it waits, and none of a host: SLOT_LIMITS keeps
 * parents so few that their children always find a place.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import type { JobRow, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import type { KindServices } from './services.ts'

/** A row or some of the catalog, read while a parent waits: soon at first, then so often. */
const LOOK_FIRST_MS = 10
const LOOK_MAX_MS = 250
/** Slot of parents: how many there may be at once stands in limits.ts. */
export const PARENT_SLOT = 'parents:all'

type AnyContext = StepContext<unknown, unknown>

/** @returns its id; of a child with this key that was made before, also one that has ended */
export async function ensureChild(
  services: KindServices,
  context: AnyContext,
  request: JobRequest & { readonly activeKey: string },
): Promise<string> {
  const parentId = context.job.id
  return context.commit(async (trx) => {
    const known = await trx
      .selectFrom('job')
      .select('id')
      .where('parentId', '=', parentId)
      .where('activeKey', '=', request.activeKey)
      .executeTakeFirst()
    return known?.id ?? services.enqueue(trx, { ...request, parentId })
  })
}

/** @returns the rows as they ended, in the order of the ids */
export async function awaitJobs(
  context: AnyContext,
  ids: readonly string[],
): Promise<readonly JobRow[]> {
  if (ids.length === 0) return []
  for (let pauseMs = LOOK_FIRST_MS; ; pauseMs = Math.min(LOOK_MAX_MS, 2 * pauseMs)) {
    const rows = await context.catalog.db
      .selectFrom('job')
      .selectAll()
      .where('id', 'in', ids)
      .execute()
    const ended = rows.filter(({ endedAt }) => endedAt !== null)
    const phase = `members ${ended.length}/${ids.length}`
    context.progress({ phase, bytesDone: 0, bytesTotal: null, itemsDone: 0 })
    if (ended.length === ids.length) return ids.map((id) => rows.find((row) => row.id === id)!)
    if (rows.length < ids.length) {
      throw new MaasError('OBJECT_NOT_FOUND', 'a job of a member is gone', { ids: [...ids] })
    }
    await delay(pauseMs, undefined, { signal: context.signal })
  }
}

export const hasSucceeded = ({ state }: Pick<JobRow, 'state'>): boolean =>
  state === 'succeeded' || state === 'warning'

/** Of one that did not succeed, in words. */
export function failureText(row: Pick<JobRow, 'problemJson' | 'state'>): string {
  const { message = '' } = JSON.parse(row.problemJson ?? '{}') as { message?: string }
  return message === '' ? `it was ${row.state}` : message
}

/**
 * @param names of the members, as the jobs are ordered
 * @param what is not there because of that: `no group point`
 * @throws MaasError GROUP_MEMBER_FAILED, in the words of the members that failed
 */
export function requireAll(jobs: readonly JobRow[], names: readonly string[], what: string): void {
  const members = jobs.flatMap((job, i) =>
    hasSucceeded(job) ? [] : [`${names[i]!}: ${failureText(job)}`],
  )
  if (members.length === 0) return
  throw new MaasError('GROUP_MEMBER_FAILED', `${what}: ${members.join('; ')}`, { members })
}
