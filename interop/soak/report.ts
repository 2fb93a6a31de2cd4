/** The end of a soak: what was promised beyond single checks, and the figures. */
import { DatabaseSync } from 'node:sqlite'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Source } from '@openmaas/api/resources/source'
import type { CheckSite } from './checks.ts'
import { CHECK_KINDS, type Journal, spread } from './journal.ts'

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
  const { lost } = oracle
  if (lost.length > 0) journal.fault(`production lost acknowledged commits: ${lost.join(', ')}`)
  const found = commits.filter(({ isAcknowledged }) => !isAcknowledged).length
  journal.say(`commits: ${commits.length}, ${found} of them found after a broken connection`)
  journal.say(`commits that were acknowledged and lost: ${lost.length}`)
  for (const kind of CHECK_KINDS) {
    const { equal, unequal, gaveUp } = journal.ends(kind)
    journal.say(`checks, ${kind}: ${equal} equal, ${unequal} not equal, ${gaveUp} gave up`)
  }
  journal.say(`time to a virtual database: ${spread(journal.createMs)}`)
  reportKills(journal)
  for (const { kind, id, problem } of journal.failedJobs) {
    journal.say(`failed and done again: ${kind} ${id} ${problem}`)
  }
}

function reportKills(journal: Journal): void {
  const { kills, healMs } = journal
  const total = [...kills.values()].reduce((sum, count) => sum + count, 0)
  const each = [...kills].map(([who, count]) => `${who} ${count}`).join(', ')
  journal.say(`kills: ${total} (${each})`)
  const times = (who: string | null): number[] =>
    healMs.filter(({ victim }) => who === null || victim === who).map(({ ms }) => ms)
  journal.say(`caught up after all kills (${healMs.length} of ${total}): ${spread(times(null))}`)
  for (const who of kills.keys()) {
    journal.say(`caught up after a kill of ${who}: ${spread(times(who))}`)
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
  const count = (sql: string): number => Number(catalog.prepare(sql).get()?.['n'])
  const jobs = `select count(*) as n from job where kind = 'protect-database' and state =`
  const failed = count(`${jobs} 'failed'`)
  journal.say(`points taken: ${count(`${jobs} 'succeeded'`)}, failed: ${failed}`)
  // A run that finds the copy made has nothing to tell of this step.
  const seeds = count(
    `select count(*) as n from step where name = 'seed' and state = 'done'
       and result_json is not null and result_json <> 'null'`,
  )
  const broken = count(`select count(*) as n from event where type = 'source.chain-broken'`)
  catalog.close()
  journal.say(`re-seeds: ${seeds - 1}, chains that broke: ${broken}`)
  if (seeds !== 1 || broken > 0) journal.fault(`copied ${seeds} times, ${broken} chains broke`)
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
  const longest = Math.max(0, ...gaps)
  journal.say(`${times.length} points; from one to the next: ${spread(gaps)}`)
  journal.say(`longest gap between two points: ${(longest / 1000).toFixed(1)} s`)
  if (longest > GAP_MAX_MS) journal.fault(`no point for ${Math.round(longest / 1000)} s`)
  const query = { 'filter[state]': 'failed', limit: PAGE } as const
  const { items } = await patient.ask('jobs are listed', (api) => api.call('listJobs', { query }))
  for (const job of items) {
    journal.say(`failed job: ${job.kind} ${job.id} ${JSON.stringify(job.problem)}`)
  }
}
