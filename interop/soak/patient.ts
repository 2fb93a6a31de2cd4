/** The API of a server that is killed now and then: what fails because of that is asked again. */
import type { Job } from '@openmaas/api/resources/job'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { Api } from '../serve/server.test-support.ts'
import type { Journal } from './journal.ts'

/** Of a single answer, and of a job: killed roles are back soon, but a machine may be busy. */
const ANSWER_MS = 120_000
const JOB_MS = 900_000
const TRIES_MAX = 3
/** Of a whole soak, with the moments that are recovered after its time. */
const LIFETIME_SECONDS = 86_400

export interface Made {
  readonly id: string
  readonly mediumId: string
  readonly connection: ConnectionRevealed
  readonly tookMs: number
}

export type Moment = { at: string } | { transaction: string } | { pointId: string } | object

export class Patient {
  readonly api: () => Api
  readonly #journal: Journal
  #names = 0

  constructor(api: () => Api, journal: Journal) {
    this.api = api
    this.#journal = journal
  }

  ask<T>(what: string, work: (api: Api) => Promise<T>): Promise<T> {
    const answered = async (): Promise<{ answer: T }> => ({ answer: await work(this.api()) })
    return waitFor(what, answered, { timeoutMs: ANSWER_MS }).then(({ answer }) => answer)
  }

  async ended(jobId: string): Promise<Job> {
    return waitFor(
      `${jobId} has ended`,
      async () => {
        const job = await this.api().call('getJob', { params: { jobId } })
        return job.endedAt !== null && job
      },
      { timeoutMs: JOB_MS },
    )
  }

  /** A virtual database of a moment of the source. @throws Error when it fails again and again */
  async make(
    of: { sourceId: string; hostId: string },
    moment: Moment,
    label: string,
  ): Promise<Made> {
    for (let attempt = 1; ; attempt += 1) {
      const beginMs = performance.now()
      this.#names += 1
      const name = `${label}-${this.#names}`
      const source = 'pointId' in moment ? {} : { sourceId: of.sourceId }
      const body = {
        name,
        hostId: of.hostId,
        lifetimeSeconds: LIFETIME_SECONDS,
        ...source,
        ...moment,
      }
      const made = await this.ask(`${name} is begun`, (api) =>
        api.call('createVirtualDatabase', { body }),
      )
      if (!('virtualDatabaseId' in made)) throw new Error(`a job was expected for ${name}`)
      const id = made.virtualDatabaseId
      const job = await this.ended(made.jobId)
      if (job.state === 'succeeded') {
        const params = { virtualDatabaseId: id }
        const connection = await this.ask('it tells how to connect', (api) =>
          api.call('revealConnection', { params }),
        )
        const tookMs = performance.now() - beginMs
        const shown = await this.ask('it is shown', (api) =>
          api.call('getVirtualDatabase', { params }),
        )
        return { id, mediumId: shown.mediumId!, connection, tookMs }
      }
      const problem = JSON.stringify(job.problem)
      this.#journal.say(`create ${name} ${JSON.stringify(moment)}: ${job.state} ${problem}`)
      this.#journal.failedJobs.push({ kind: job.kind, id: job.id, problem })
      await this.drop(id)
      if (attempt === TRIES_MAX) throw new Error(`${name} failed ${attempt} times: ${problem}`)
    }
  }

  async drop(virtualDatabaseId: string): Promise<void> {
    const params = { virtualDatabaseId }
    const dropped = await this.ask('the drop is begun', async (api) => {
      const { state } = await api.call('getVirtualDatabase', { params })
      if (state === 'dropped') return null
      return api.call('dropVirtualDatabase', { params, body: { force: true } })
    })
    if (dropped === null || !('jobId' in dropped)) return
    const job = await this.ended(dropped.jobId)
    if (job.state === 'succeeded') return
    const problem = JSON.stringify(job.problem)
    this.#journal.fault(`the drop of ${virtualDatabaseId} ${job.state}: ${problem}`)
  }
}
