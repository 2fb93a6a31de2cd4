/**
 * The real HTTP server and handlers in this process, on a catalog in memory, for commands that
 * are run as programs. No engine runs jobs: each one ends as the test says when it is queued.
 */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Principal } from '@openmaas/api/permissions'
import { SettingsStore } from '@openmaas/control/auth/settings-store'
import { makeDocumentHandlers } from '@openmaas/control/documents/handlers'
import { registerHandlers } from '@openmaas/control/http/handler'
import type { Handlers } from '@openmaas/control/http/handler'
import { makeHandlers, SERVER_KEY } from '@openmaas/control/http/handlers.test-support'
import { ADMIN, makeTestServer } from '@openmaas/control/http/server.test-support'
import type { TestServer } from '@openmaas/control/http/server.test-support'
import { addTenant } from '@openmaas/control/http/site.test-support'
import type { Tenant } from '@openmaas/control/http/site.test-support'
import { makePolicyHandlers } from '@openmaas/control/policy/handlers'
import { makePolicyOutlookHandlers } from '@openmaas/control/policy/outlook-handlers'
import { systemClock } from '@openmaas/kernel/clock'
import { systemRandom } from '@openmaas/kernel/random'
import type { FakeClock } from '@openmaas/testkit/fake-clock'

const TOKENS: Readonly<Record<string, Principal>> = {
  msk_admin_0123456789abcdef: ADMIN,
  msk_auditor_0123456789abcdef: { actor: 'user:usr_auditor', roles: ['auditor'], scope: null },
}

export type JobEnd = 'succeeded' | 'warning' | 'failed' | 'running'

export interface ServerSite extends AsyncDisposable {
  readonly url: string
  readonly server: TestServer
  readonly tenant: Tenant
  readonly tokenFile: string
  /** How often a job has been looked at. */
  readonly watchCount: () => number
}

/** Those of http/, and documents with the policies that they make. */
function makeAllHandlers(parts: Parameters<typeof makeHandlers>[0], onWatch: () => void): Handlers {
  const settings = new SettingsStore(parts.catalog, parts.clock, SERVER_KEY)
  const noJob = (): Promise<never> => Promise.reject(new Error('no job'))
  const jobs = { enqueue: noJob, cancel: noJob, retry: noJob }
  const context = { ...parts, random: systemRandom, settings, jobs, serverKey: SERVER_KEY }
  const handlers = registerHandlers(
    makeHandlers(parts),
    makePolicyHandlers(context),
    makePolicyOutlookHandlers(context),
    makeDocumentHandlers(context),
  )
  const { getJob } = handlers
  return {
    ...handlers,
    getJob: (request) => {
      onWatch()
      return getJob!(request)
    },
  }
}

/** Ends every job that is queued, soon, in the way that the label `end` of its request says. */
function endJobs(server: TestServer, tenant: Tenant): () => void {
  const { catalog } = server
  const end = async (): Promise<void> => {
    await catalog.transaction(async (trx) => {
      const jobs = await trx.selectFrom('job').selectAll().where('state', '=', 'queued').execute()
      for (const job of jobs) {
        const { labels = {} } = JSON.parse(job.paramsJson) as { labels?: { end?: JobEnd } }
        const wanted = labels.end ?? 'succeeded'
        const problem = { code: 'POOL_FULL', message: 'the pool is full', details: {} }
        await trx
          .updateTable('job')
          .set({
            state: wanted,
            pointId: tenant.point,
            progressJson: JSON.stringify({ phase: 'capture', pct: 40, bytesDone: 4096 }),
            problemJson:
              wanted === 'failed' || wanted === 'warning' ? JSON.stringify(problem) : null,
            startedAt: job.queuedAt,
            endedAt: wanted === 'running' ? null : job.queuedAt,
          })
          .where('id', '=', job.id)
          .execute()
      }
    })
  }
  let running: Promise<void> | undefined
  return catalog.onCommit(() => {
    running ??= end().finally(() => {
      running = undefined
    })
  })
}

/** @param directory gets the file with the token */
export async function startServerSite(directory: string): Promise<ServerSite> {
  let watchCount = 0
  const server = await makeTestServer((parts) => makeAllHandlers(parts, () => (watchCount += 1)), {
    // Programs of their own know nothing of a clock that stands still.
    clock: systemClock as unknown as FakeClock,
    authenticate: ({ headers }) => {
      const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
      return Promise.resolve(TOKENS[token])
    },
  })
  const tenant = await addTenant(server, 'acme')
  const release = endJobs(server, tenant)
  const url = await server.server.listen({ host: '127.0.0.1', port: 0 })
  const tokenFile = path.join(directory, 'token')
  writeFileSync(tokenFile, 'msk_admin_0123456789abcdef\n', { mode: 0o600 })
  writeFileSync(path.join(directory, 'auditor'), 'msk_auditor_0123456789abcdef\n', { mode: 0o600 })
  return {
    url,
    server,
    tenant,
    tokenFile,
    watchCount: () => watchCount,
    [Symbol.asyncDispose]: async () => {
      release()
      await server[Symbol.asyncDispose]()
    },
  }
}
