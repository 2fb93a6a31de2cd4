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
