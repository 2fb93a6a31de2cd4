/** Production dies in synchronous mode and stays away: the clone has all that was acknowledged. */
import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '@openmaas/testkit/wait-for'
import { ask, type CheckSite, differs } from './checks.ts'
import { wordsOf } from './journal.ts'
import { readContent } from './schema.ts'

const LIMIT_MS = 240_000
const LOAD_MS = 10_000

export async function checkSynchronous(site: CheckSite): Promise<void> {
  const { journal, production } = site
  journal.checks.synchronous += 1
  try {
    await makeSynchronous(site)
    // Commits before this one may be of the time when nobody waited.
    await delay(LOAD_MS)
    await production.kill()
    await compare(site)
  } catch (error) {
    journal.fault(`synchronous: ${wordsOf(error)}`)
  } finally {
    await production.start()
    await production.sql("alter system set synchronous_standby_names = ''")
    await production.sql('select pg_reload_conf()')
  }
}

async function makeSynchronous({ patient, production, sourceId }: CheckSite): Promise<void> {
  const params = { sourceId }
  const source = await patient.ask('the source is shown', (api) =>
    api.call('getSource', { params }),
  )
  if (!source.database!.synchronous) {
    await patient.api().call('changeSource', {
      params,
      body: { database: { synchronous: true } },
      ifMatch: `"${source.version}"`,
    })
  }
  const name = await waitFor(
    'the standby streams',
    () =>
      production.sql(`select application_name from pg_stat_replication
                       where application_name like 'openmaas%' and state = 'streaming'`),
    { timeoutMs: LIMIT_MS },
  )
  await production.sql(`alter system set synchronous_standby_names = 'FIRST 1 (${String(name)})'`)
  await production.sql('select pg_reload_conf()')
  const waits = `select count(*)::int from pg_stat_replication where sync_state = 'sync'`
  await waitFor('production waits', async () => (await production.sql(waits)) === 1, {
    timeoutMs: LIMIT_MS,
  })
}

/** Without production: a point of what the standby has, and a virtual database of it. */
async function compare({ patient, oracle, journal, ...site }: CheckSite): Promise<void> {
  const params = { sourceId: site.sourceId }
  const beginMs = performance.now()
  const killedMs = Date.now()
  const acknowledged = oracle.acknowledged()
  await waitFor(
    'there is a point after the death of production',
    async () => {
      const { jobId } = await patient.api().call('protectSource', { params, body: {} })
      const job = await patient.ended(jobId)
      if (job.state === 'succeeded' && Date.parse(job.startedAt!) > killedMs) return true
      throw new Error(`${job.state} ${JSON.stringify(job.problem)}`)
    },
    { timeoutMs: LIMIT_MS },
  )
  const made = await patient.make({ ...site }, {}, 'synchronous')
  const content = await ask(made.connection, readContent)
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1)
  const text = `${content.count} commits on the clone, ${acknowledged} acknowledged, ${seconds} s`
  if (content.count < acknowledged) journal.fault(`synchronous: ${text}`)
  else journal.say(`synchronous: ${text}`)
  // What is there beyond was never acknowledged; production has it, too, when it is back.
  await site.production.start()
  const wrong = differs(content, await oracle.first(content.count))
  if (wrong === null) journal.checks.passed += 1
  else journal.fault(`synchronous: ${wrong}`)
  await patient.drop(made.id)
}
