/** Production dies in synchronous mode: what is started in its place has all acknowledged. */
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@openmaas/source-kit/free-port'
import { type CheckSite, differs } from './checks.ts'
import { wordsOf } from './journal.ts'

const LOAD_MS = 10_000
const NOTED_MS = 1000

export async function checkSynchronous(site: CheckSite, number: number): Promise<void> {
  const { journal, engine } = site
  try {
    await makeSynchronous(site)
    // Commits before this one may be of the time when nobody waited.
    await delay(LOAD_MS)
    await engine.kill()
    const isEqual = await compare(site, number)
    journal.checked('synchronous', isEqual ? 'equal' : 'unequal')
  } catch (error) {
    journal.checked('synchronous', 'gaveUp')
    journal.fault(`synchronous: ${wordsOf(error)}`)
  } finally {
    await engine.start()
    await engine.endWaiting()
  }
}

async function makeSynchronous({ patient, engine, sourceId }: CheckSite): Promise<void> {
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
  await engine.beginWaiting()
}

/**
 * In production's place: what its standby has received, started as if nothing had happened.
 *
 * @returns whether it has all that was acknowledged, and nothing that production has not
 */
async function compare(site: CheckSite, number: number): Promise<boolean> {
  const { patient, oracle, journal, engine, sourceId, hostId } = site
  // What arrived with the last breath is written down.
  await delay(NOTED_MS)
  const acknowledged = oracle.acknowledged()
  const beginMs = performance.now()
  // Not production's own port: the standby would go on behind what answers there, for good.
  const port = await freePort(['127.0.0.1'])
  const name = `instead-${number}`
  const danger = { confirm: 'shop', reason: 'production was killed' }
  const made = await patient.ask('the recovery is begun', (api) =>
    api.call('recoverProduction', { body: { name, sourceId, hostId, port, ...danger } }),
  )
  if (!('virtualDatabaseId' in made)) throw new Error('a job was expected')
  const job = await patient.ended(made.jobId)
  if (job.state !== 'succeeded') throw new Error(JSON.stringify(job.problem))
  const content = await engine.readContent({ host: '127.0.0.1', port, ...engine.owner })
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1)
  const text = `${content.count} commits there, ${acknowledged} acknowledged, ${seconds} s`
  const isWhole = content.count >= acknowledged
  if (isWhole) journal.say(`synchronous: ${text}`)
  else journal.fault(`synchronous: ${text}`)
  const params = { virtualDatabaseId: made.virtualDatabaseId }
  const dropped = await patient.ask('the drop is begun', (api) =>
    api.call('dropVirtualDatabase', {
      params,
      body: { force: true, confirm: name, reason: 'production is back' },
    }),
  )
  if ('jobId' in dropped) await patient.ended(dropped.jobId)
  await engine.start()
  // What is there beyond was never acknowledged; production has it, too.
  const wrong = differs(content, await oracle.first(content.count))
  if (wrong !== null) journal.fault(`synchronous: ${wrong}`)
  return isWhole && wrong === null
}
