/**
 * What the console promises when things go wrong or grow large: an agent that dies is said so, a
 * server that dies is noticed and taken up again, 10,000 sources and 100,000 jobs stay a page, and
 * each role meets only what it may do. A server and a browser of its own: this one is killed.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OPENMAAS } from '../support/command-line.ts'
import { run, start, type Running } from '../support/program.ts'
import { CHROMIUM, ConsoleSite, DIST } from './browser.test-support.ts'
import { explain, JOB_COUNT, seedLargeSite, SOURCE_COUNT } from './seed.test-support.ts'
import { walk, type Walk } from './walk.test-support.ts'

/** CONSOLE.md, section 1. */
const ATTENTION_MAX_MS = 90_000
/** Shown after ten seconds without the server; a busy browser is later. */
const STALE_MAX_MS = 60_000
/** The smallest page that lists offer, and the largest. */
const PAGE_SIZES = [20, 200] as const

class SecondAgent implements AsyncDisposable {
  readonly hostId: string
  readonly sourceId: string
  readonly #running: Running

  private constructor(hostId: string, sourceId: string, running: Running) {
    this.hostId = hostId
    this.sourceId = sourceId
    this.#running = running
  }

  /** Joined by the line that the console shows, with a source that is as promised. */
  static async join(site: ConsoleSite): Promise<SecondAgent> {
    const { api } = site.server
    const { command } = await api.call('createJoinToken', { body: { kind: 'agent' } })
    const data = site.directory.join('second-agent')
    const environment = { OPENMAAS_NODE: process.execPath }
    const line = [OPENMAAS, ...command.split(' ').slice(1), '--data', data, '--name', 'db-2']
    const hostId = (await run(line, { environment })).trim()
    const running = start([OPENMAAS, 'agent', '--data', data, '--json'], { environment })
    const folder = site.directory.join('second')
    mkdirSync(folder)
    writeFileSync(`${folder}/orders.txt`, 'orders')
    await waitFor('the second agent is online', async () => {
      const host = await api.call('getHost', { params: { hostId } })
      return host.state === 'online'
    })
    const { items: policies } = await api.call('listPolicies', { query: {} })
    const policyId = policies.find(({ name }) => name === 'bronze')!.id
    const source = await api.call('createSource', {
      body: { name: 'second', hostId, path: folder, policyId },
    })
    const job = await api.call('protectSource', { params: { sourceId: source.id }, body: {} })
    await api.finish(job.jobId)
    return new SecondAgent(hostId, source.id, running)
  }

  async kill(): Promise<void> {
    this.#running.child.kill('SIGKILL')
    await this.#running.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running.child.kill('SIGKILL')
    await this.#running.ended
  }
}

/** @returns seconds from the death of the agent until the dashboard says so, which nobody reloads */
async function watchKill(site: ConsoleSite, agent: SecondAgent): Promise<number> {
  await using visit = await site.enter()
  await visit.open('/')
  await visit.by('attention').waitFor()
  const row = visit.by(`attention-${agent.sourceId}`)
  expect(await row.count()).toBe(0)
  const killedAt = performance.now()
  await agent.kill()
  await row.getByText('the host is offline').waitFor({ timeout: ATTENTION_MAX_MS })
  const seconds = Math.round((performance.now() - killedAt) / 1000)
  await row.getByRole('link').click()
  await visit.by('answer').waitFor()
  expect(visit.complaints).toEqual([])
  return seconds
}

requires({ linux: true, root: true, paths: [CHROMIUM, DIST, '/dev/fuse'] }, () => {
  describe('the console when something breaks or grows', () => {
    let site: ConsoleSite
    let agent: SecondAgent
    let killed: Promise<PromiseSettledResult<number>[]>
    const catalog = (): string => site.directory.join('data/catalog.db')

    beforeAll(async () => {
      site = await ConsoleSite.start()
      await site.protectFiles()
      agent = await SecondAgent.join(site)
      // It takes its time: meanwhile others are tested.
      killed = Promise.allSettled([watchKill(site, agent)])
    })

    afterAll(async () => {
      await agent?.[Symbol.asyncDispose]()
      await site?.[Symbol.asyncDispose]()
    })

    test('roles meet what they may do, and nothing that would be refused', async () => {
      const { api } = site.server
      const { items: pools } = await api.call('listPools')
      const { items: points } = await api.call('listPoints', {
        query: { 'filter[sourceId]': site.sourceId },
      })
      const pages = [
        ...['overview', 'timeline', 'jobs', 'settings'].map(
          (tab) => `/sources/${site.sourceId}?tab=${tab}`,
        ),
        `/hosts/${agent.hostId}`,
        `/pools/${pools[0]!.id}`,
        `/points/${points[0]!.id}/files`,
        `/recover?sourceId=${site.sourceId}`,
        '/protect',
        '/policies/new',
        '/users',
        '/audit',
        '/settings',
      ]
      const walks: Record<string, Walk> = {}
      for (const role of ['auditor', 'data-consumer', 'operator'] as const) {
        // A job that somebody else began is not theirs to see, and nothing leads there.
        const isOwnOnly = role === 'data-consumer'
        walks[role] = await walk(site, role, isOwnOnly ? pages : [...pages, `/jobs/${site.jobId}`])
        expect(walks[role].wrong, role).toEqual([])
      }
      const { auditor, operator } = walks
      expect(auditor!.visited).toEqual(expect.arrayContaining(['/', '/audit', '/users']))
      expect(auditor!.verbs).toEqual(['export-audit', 'support-bundle', 'verify-chain'])
      expect(walks['data-consumer']!.visited).not.toContain('/pools')
      expect(operator!.visited).not.toContain('/users')
      expect(operator!.verbs).toEqual(
        expect.arrayContaining(['create-pool', 'protect-something', 'new-policy', 'add-host']),
      )
    })

    test('a killed agent: its source needs attention, with the reason', async () => {
      const [told] = await killed
      if (told!.status === 'rejected') throw told!.reason
      console.info(`an agent was killed: its source needed attention after ${told!.value} s`)
    })

    test('a killed server: "stale, reconnecting", then live again by itself, now with a large site', async () => {
      await using visit = await site.enter()
      await visit.open('/')
      await visit.by('tile-protected').getByText('/ 2').waitFor()
      // What comes after the first look has come too.
      await visit.by('trends').waitFor()
      await visit.settled()
      const killedAt = performance.now()
      await site.server.kill()
      await visit.by('stale').waitFor({ timeout: STALE_MAX_MS })
      const seconds = Math.round((performance.now() - killedAt) / 1000)
      console.info(`the server was killed: the console said so after ${seconds} s`)
      expect(await visit.by('stale').textContent()).toContain('reconnecting')
      // What was shown stays.
      await visit.by('tile-protected').getByText('/ 2').waitFor()
      seedLargeSite(catalog())
      await site.server.begin()
      await visit.by('stale').waitFor({ state: 'detached' })
      await visit
        .by('tile-protected')
        .getByText(`/ ${SOURCE_COUNT + 2}`)
        .waitFor()
      expect(visit.page.url()).toContain('/')
    })

    test('10,000 sources and 100,000 jobs: a page at a time, whatever is sorted and filtered', async () => {
      await using visit = await site.enter()
      const { page } = visit
      const times = new Map<string, number>()
      page.on('requestfinished', (request) => {
        const { pathname } = new URL(request.url())
        const { responseEnd, requestStart } = request.timing()
        if (!pathname.startsWith('/api/')) return
        times.set(pathname, Math.max(times.get(pathname) ?? 0, responseEnd - requestStart))
      })
      const rows = page.locator('tbody tr[data-row-key]')
      const first = () => rows.first().getAttribute('data-row-key')
      for (const [path, name] of [
        ['/sources?sort=name', 'list-sources'],
        ['/jobs', 'list-jobs'],
      ] as const) {
        for (const limit of PAGE_SIZES) {
          await visit.open(`${path}${path.includes('?') ? '&' : '?'}limit=${limit}`)
          await visit.settled()
          expect(await rows.count(), `${path} by ${limit}`).toBe(limit)
        }
        const before = await first()
        await visit.by('next-page').click()
        await page
          .locator(`[data-testid=${name}] tr[data-row-key="${before}"]`)
          .waitFor({ state: 'detached' })
        // To the last row by the wheel, and by keyboard: what is out of sight is there.
        await page.keyboard.press('j')
        await rows.last().scrollIntoViewIfNeeded()
        expect(await rows.last().isVisible()).toBe(true)
      }
      await visit.open('/sources?state=unprotected&limit=50')
      await visit.settled()
      expect(await rows.count()).toBe(50)
      await visit.open('/jobs?state=failed&limit=50')
      await visit.settled()
      expect(await page.locator('td [data-state=failed]').count()).toBe(50)
      await visit.open('/')
      await visit.by('tiles').waitFor()
      const told = [...times].map(([path, ms]) => `${path} ${Math.round(ms)} ms`)
      console.info(
        `${SOURCE_COUNT} sources, ${JOB_COUNT} jobs, longest of each:\n${told.join('\n')}`,
      )
      expect(visit.complaints).toEqual([])
    })

    test('the lists of a large site are read along an index, never sorted as a whole', () => {
      const page = 'order by queued_at desc, id desc limit 51'
      const lists = [
        `select * from job ${page}`,
        `select * from job where state = 'failed' ${page}`,
        `select * from job where kind = 'verify' ${page}`,
        `select * from job where source_id = 'src_1' ${page}`,
        `select * from job where state not in ('queued', 'running', 'paused') ${page}`,
        'select * from source order by name asc, id asc limit 51',
        'select * from source order by created_at desc, id desc limit 51',
      ]
      for (const sql of lists) {
        const plan = explain(catalog(), sql)
        expect(plan, sql).toContain('USING INDEX')
        expect(plan, sql).not.toContain('USE TEMP B-TREE FOR ORDER BY')
      }
    })
  })
})
