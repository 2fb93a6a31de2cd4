/** Waiting for jobs about databases: a seed and a recovery take longer than a capture. */
import type { Job } from '@openmaas/api/resources/job'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { Api } from '../serve/server.test-support.ts'

const LIMIT_MS = 180_000

/** @throws Error with what the job says, unless it succeeded */
export async function finish(api: Api, jobId: string): Promise<Job> {
  const look = async (): Promise<Job | false> => {
    const job = await api.call('getJob', { params: { jobId } })
    return job.endedAt !== null && job
  }
  const job = await waitFor(`${jobId} has ended`, look, { timeoutMs: LIMIT_MS })
  if (job.state === 'succeeded') return job
  throw new Error(`${job.kind} ${job.state}: ${JSON.stringify(job.problem)}`)
}

/**
 * Ends the protection of a source. What works on it is cancelled, as a user would do: such a job
 * may wait for a production that a test has ended.
 */
export async function removeSource(api: Api, sourceId: string): Promise<void> {
  const params = { sourceId }
  const { name } = await api.call('getSource', { params })
  const body = { confirm: name, reason: 'the test is over' }
  const remove = async (): Promise<boolean> => {
    const query = { 'filter[sourceId]': sourceId, 'filter[state]': 'queued,running,paused' }
    const { items } = await api.call('listJobs', { query })
    for (const { id: jobId } of items) await api.call('cancelJob', { params: { jobId } })
    await api.call('deleteSource', { params, body })
    return true
  }
  await waitFor('the source is removed', remove, { timeoutMs: LIMIT_MS })
  const query = { 'filter[sourceId]': sourceId, 'filter[kind]': 'unprotect-database' }
  const { items } = await api.call('listJobs', { query })
  await finish(api, items[0]!.id)
}
