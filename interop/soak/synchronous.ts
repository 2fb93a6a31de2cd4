/** Production dies in synchronous mode: what is started in its place has all acknowledged. */
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@openmaas/source-kit/free-port'
import { withConnection } from '@openmaas/source-postgres/connection'
import { waitFor } from '@openmaas/testkit/wait-for'
import { type CheckSite, differs } from './checks.ts'
import { wordsOf } from './journal.ts'
import { readContent } from './schema.ts'

const LIMIT_MS = 240_000
const LOAD_MS = 10_000
const NOTED_MS = 1000
/** Of production itself: what stands in its place has the same. */
const OWNER = 'boss'
const PASSWORD = 'of the soak'

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
  await production.sql(`alter role ${OWNER} password '${PASSWORD}'`)
  const waits = `select count(*)::int from pg_stat_replication where sync_state = 'sync'`
  await waitFor('production waits', async () => (await production.sql(waits)) === 1, {
    timeoutMs: LIMIT_MS,
  })
}

/** In production's place: what its standby has received, started as if nothing had happened. */
async function compare({ patient, oracle, journal, ...site }: CheckSite): Promise<void> {
  const { production, sourceId, hostId } = site
  // What arrived with the last breath is written down.
  await delay(NOTED_MS)
  const acknowledged = oracle.acknowledged()
  const beginMs = performance.now()
  // Not production's own port: the standby would go on behind what answers there, for good.
  const port = await freePort(['127.0.0.1'])
  const body = {
    name: `instead-${journal.checks.synchronous}`,
    sourceId,
    hostId,
    port,
    confirm: 'shop',
    reason: 'production was killed',
  }
  const made = await patient.ask('the recovery is begun', (api) =>
    api.call('recoverProduction', { body }),
  )
  if (!('virtualDatabaseId' in made)) throw new Error('a job was expected')
  const job = await patient.ended(made.jobId)
  if (job.state !== 'succeeded') throw new Error(JSON.stringify(job.problem))
  const connection = { host: '127.0.0.1', port, user: OWNER, password: PASSWORD }
  const content = await withConnection({ ...connection, tls: 'off', ca: null }, readContent)
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1)
  const text = `${content.count} commits there, ${acknowledged} acknowledged, ${seconds} s`
  if (content.count < acknowledged) journal.fault(`synchronous: ${text}`)
  else journal.say(`synchronous: ${text}`)
  const params = { virtualDatabaseId: made.virtualDatabaseId }
  const dropped = await patient.ask('the drop is begun', (api) =>
    api.call('dropVirtualDatabase', {
      params,
      body: { force: true, confirm: body.name, reason: 'production is back' },
    }),
  )
  if ('jobId' in dropped) await patient.ended(dropped.jobId)
  await production.start()
  // What is there beyond was never acknowledged; production has it, too.
  const wrong = differs(content, await oracle.first(content.count))
  if (wrong === null) journal.checks.passed += 1
  else journal.fault(`synchronous: ${wrong}`)
}
