/** How a job ends: once, with its last event, and with what follows for others. */
import type { Clock } from '@openmaas/kernel/clock'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { ErrorDetails } from '@openmaas/kernel/errors'
import type { JobDefinition, JobRow, Outcome, Trx } from './definition.ts'
import { jsonOf, listDependents } from './job-repository.ts'
import { appendJobEvent, appendLogLines } from './records.ts'

export interface Ending {
  readonly job: JobRow
  readonly definition: JobDefinition | undefined
  readonly params: unknown
  readonly outcome: Outcome<Record<string, unknown>>
  readonly result: object | null
}

interface EndServices {
  readonly clock: Clock
  readonly definitions: ReadonlyMap<string, JobDefinition>
}

/** What is kept of an error: no stack, for people read it. */
export function problemJson(problem: ErrorMessage): string {
  const { code, message, details } = problem
  return jsonOf({ code, message, details })
}

/** The caller has made sure that the job is its own: by its token, or because nobody has it. */
export async function endJob(trx: Trx, services: EndServices, ending: Ending): Promise<void> {
  const { job, definition, params, outcome, result } = ending
  const { clock } = services
  const { state, problem } = outcome
  const endedAt = clock.wallMs()
  await trx
    .updateTable('job')
    .set({
      state,
      endedAt,
      resultJson: result === null ? null : jsonOf(result),
      problemJson: problem === null ? null : problemJson(problem),
      claimedBy: null,
      claimUntil: null,
    })
    .where('id', '=', job.id)
    .execute()
  await definition?.ended?.(trx, { job, params, clock }, outcome)
  const durationMs = job.startedAt === null ? null : Math.max(0, endedAt - job.startedAt)
  const data = { state, code: problem?.code ?? null, message: problem?.message ?? null, durationMs }
  await appendJobEvent(trx, 'job.ended', job, data, clock)
  const level = state === 'failed' ? 'error' : state === 'warning' ? 'warning' : 'info'
  const code = problem?.code ?? 'JOB_ENDED'
  const text = problem === null ? state : `${state}: ${problem.message}`
  await appendLogLines(trx, job.id, [{ at: endedAt, level, code, text }])
  if (state === 'failed' || state === 'cancelled') {
    await endDependents(trx, services, job, dependencyFailed(job, problem))
  }
}

/** What waits for a job that will never succeed ends too, and what waits for that. */
async function endDependents(
  trx: Trx,
  services: EndServices,
  needed: JobRow,
  problem: ErrorMessage,
): Promise<void> {
  for (const job of await listDependents(trx, needed.id)) {
    await endUnbegun(trx, services, job, problem)
  }
}

/** As it stands in the row, too: of another version, it may have a code of its own. */
interface Failure {
  readonly code: string
  readonly message: string
  readonly details?: object | undefined
}

/** Whoever waits for it reads the cause, however long the chain between the two is. */
export function dependencyFailed(
  needed: Pick<JobRow, 'id' | 'kind'>,
  problem: Failure | null,
): ErrorMessage {
  const code = 'JOB_DEPENDENCY_FAILED'
  if (problem?.code === code) {
    return { code, message: problem.message, details: (problem.details ?? {}) as ErrorDetails }
  }
  const because = problem === null ? '' : `: ${problem.message} (${problem.code})`
  return {
    code,
    message: `it waited for ${needed.kind} ${needed.id}, which did not succeed${because}`,
    details: { jobId: needed.id, ...(problem !== null && { cause: problem.code }) },
  }
}

/** Ends a job that has done nothing yet, so there is nothing to undo. */
export async function endUnbegun(
  trx: Trx,
  services: EndServices,
  job: JobRow,
  problem: ErrorMessage,
): Promise<void> {
  const definition = services.definitions.get(job.kind)
  const params = definition?.params.safeParse(JSON.parse(job.paramsJson)).data
  await endJob(trx, services, {
    job,
    // Parameters of another version: its own ending cannot be asked for.
    definition: params === undefined ? undefined : definition,
    params,
    outcome: { state: problem.code === 'CANCELLED' ? 'cancelled' : 'failed', results: {}, problem },
    result: null,
  })
}
