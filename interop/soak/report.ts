/** The end of a soak: what was promised beyond single checks, and the figures. */
import { DatabaseSync } from 'node:sqlite'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Source } from '@openmaas/api/resources/source'
import type { CheckSite } from './checks.ts'
import { spread } from './journal.ts'

/** As long as the newest point may be away while what takes it is killed. */
const GAP_MAX_MS = 240_000
const PAGE = 500

export async function report(
  site: CheckSite,
  of: { root: string; volumeId: string; seededBefore: Source },
): Promise<void> {
  const { journal, oracle } = site
  await checkChain(site, of)
  await reportPoints(site)
  const commits = oracle.read()
  if (oracle.lost.length > 0) {
    journal.fault(`production lost acknowledged commits: ${oracle.lost.join(', ')}`)
  }
  const found = commits.filter(({ isAcknowledged }) => !isAcknowledged).length
  journal.say(`${commits.length} commits, ${found} of them found after a broken connection`)
  const { newest, second, transaction, synchronous, passed } = journal.checks
  journal.say(
    `checks: newest ${newest}, seconds ${second}, transactions ${transaction}, ` +
      `synchronous ${synchronous}; equal ${passed}`,
  )
  journal.say(`time to a virtual database: ${spread(journal.createMs)}`)
  journal.say(`kills: ${[...journal.kills].map(([who, count]) => `${who} ${count}`).join(', ')}`)
  for (const who of journal.kills.keys()) {
    const own = journal.healMs.filter(({ victim }) => victim === who).map(({ ms }) => ms)
    journal.say(`caught up after a kill of ${who}: ${spread(own)}`)
  }
  for (const { kind, id, problem } of journal.failedJobs) {
    journal.say(`failed and done again: ${kind} ${id} ${problem}`)
  }
}

/** The same volume, seeded once. */
async function checkChain(
  { patient, journal, sourceId }: CheckSite,
  { root, volumeId, seededBefore }: { root: string; volumeId: string; seededBefore: Source },
): Promise<void> {
  const source = await patient.ask('the source is shown', (api) =>
    api.call('getSource', { params: { sourceId } }),
  )
  const { status, mediumId, identity } = source.database!
  if (mediumId !== volumeId) journal.fault(`the volume is ${mediumId} now, it was ${volumeId}`)
  if (identity !== seededBefore.database!.identity) journal.fault('another identity')
  if (status.mustReseed) journal.fault(`it must be seeded again: ${status.reason}`)
  journal.say(`the standby: ${status.state} ${status.reason}`)
  const path = join(root, 'control', 'catalog.db')
  if (!existsSync(path)) return
  const catalog = new DatabaseSync(path, { readOnly: true })
  const sql = "select count(*) as n from job where kind = 'protect-database' and state = ?"
  const count = (state: string): number => Number(catalog.prepare(sql).get(state)?.['n'])
  journal.say(`points taken: ${count('succeeded')}, failed: ${count('failed')}`)
  catalog.close()
}

async function reportPoints({ patient, journal, sourceId }: CheckSite): Promise<void> {
  const times: number[] = []
  let cursor: string | undefined
  do {
    const query = {
      'filter[sourceId]': sourceId,
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    }
    const page = await patient.ask('points are listed', (api) => api.call('listPoints', { query }))
    times.push(...page.items.map(({ takenAt }) => Date.parse(takenAt)))
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  const sorted = times.toSorted((a, b) => a - b)
  const gaps = sorted.slice(1).map((at, i) => at - sorted[i]!)
  journal.say(`${times.length} points; from one to the next: ${spread(gaps)}`)
  const longest = Math.max(0, ...gaps)
  if (longest > GAP_MAX_MS) journal.fault(`no point for ${Math.round(longest / 1000)} s`)
  const query = { 'filter[state]': 'failed', limit: PAGE } as const
  const { items } = await patient.ask('jobs are listed', (api) => api.call('listJobs', { query }))
  for (const job of items) {
    journal.say(`failed job: ${job.kind} ${job.id} ${JSON.stringify(job.problem)}`)
  }
}
