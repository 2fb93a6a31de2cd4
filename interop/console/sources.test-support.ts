/** Sources, their timeline, the wizard that protects, policies, hosts. */
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { LOOKS } from './browser.test-support.ts'
import type { ConsoleSite } from './browser.test-support.ts'
import { OPENMAAS } from '../support/command-line.ts'

const run = promisify(execFile)
/** Of a program that must end by itself; a busy machine is slow. */
const JOIN_MAX_MS = 60_000

interface Named {
  readonly sourceId: string
  readonly hostId: string
  /** Of the wizard, as its address has it. */
  readonly draft: string
  readonly promise: string
}

/** Pages that are looked at once: in each look others. */
const ofOneLook: readonly ((named: Named) => Record<string, string>)[] = [
  ({ sourceId, hostId }) => ({ source: `/sources/${sourceId}`, host: `/hosts/${hostId}` }),
  ({ draft, promise }) => ({
    policies: '/policies',
    review: `/protect?${draft}&${promise}&step=review`,
  }),
  ({ draft, promise }) => ({
    hosts: '/hosts?join=agent',
    promise: `/protect?${draft}&${promise}&step=promise`,
  }),
  ({ sourceId, draft, promise }) => ({
    settings: `/sources/${sourceId}?tab=settings`,
    where: `/protect?${draft}&${promise}&step=where`,
  }),
]

export function testSources(site: () => ConsoleSite): void {
  describe('sources', () => {
    test('answers whether a source is protected, and shows its point on a line', async () => {
      await using visit = await site().enter()
      await visit.open('/sources')
      await visit.by(`source-${site().sourceId}`).click()
      await visit.by('answer').waitFor()
      expect(await visit.by('answer').textContent()).toContain('Is this protected?')
      await visit.page.getByRole('tab', { name: 'Timeline' }).click()
      await visit.by('mark').first().waitFor()
      await visit.by('point').waitFor()
      await visit.by('point-lock').click()
      await visit.by('lock-ok').click()
      await visit.page.locator('[data-testid=lock-ok]').waitFor({ state: 'detached' })
      const { items } = await site().server.api.call('listPoints', {
        query: { 'filter[sourceId]': site().sourceId, 'filter[locked]': 'true' },
      })
      expect(items).toHaveLength(1)
      expect(visit.complaints).toEqual([])
    })

    test('says what is wrong when a locked point is to be deleted, and keeps it', async () => {
      await using visit = await site().enter()
      const { items } = await site().server.api.call('listPoints', {
        query: { 'filter[sourceId]': site().sourceId, 'filter[locked]': 'true' },
      })
      await visit.open(`/sources/${site().sourceId}?tab=timeline&point=${items[0]!.id}`)
      await visit.by('point-delete').click()
      await visit.by('plan').getByTestId('problem').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('protects a directory that is found by going into it, and runs it at once', async () => {
      const directory = site().directory.join('wizard')
      mkdirSync(directory)
      writeFileSync(`${directory}/one.txt`, 'one')
      await using visit = await site().enter()
      await visit.open('/protect')
      expect(await visit.by('next').isDisabled()).toBe(true)
      await visit.page.getByRole('radio').first().click()
      await visit.by('path').fill(site().directory.path)
      await visit.by('path').press('Enter')
      await visit.by('directory-wizard').click()
      await visit.page.waitForURL(/path=[^&]*wizard/)
      await visit.by('next').click()
      await visit.by('policy-silver').click()
      await visit.by('outlook').getByText('Keeps about').waitFor()
      await visit.by('skip').click()
      await visit.page.locator('[data-testid=check-path][data-state=ok]').waitFor()
      await visit.by('begin').click()
      await visit.by('steps').waitFor()
      const { items } = await site().server.api.call('listSources', {
        query: { 'filter[name]': 'wizard' },
      })
      expect(items).toMatchObject([{ path: directory, kind: 'files' }])
      await site().server.api.finish(new URL(visit.page.url()).pathname.split('/').at(-1)!)
      expect(visit.complaints).toEqual([])
    })

    test('draws a run that gave no point as a gap, with its reason', async () => {
      const { api } = site().server
      const gone = site().directory.join('gone')
      mkdirSync(gone)
      const { items: hosts } = await api.call('listHosts')
      const agent = hosts.find(({ kind }) => kind === 'agent')!
      const source = await api.call('createSource', {
        body: { name: 'gone', hostId: agent.id, path: gone },
      })
      rmSync(gone, { recursive: true })
      const params = { sourceId: source.id }
      const run = await api.call('protectSource', { params, body: {} })
      await expect(api.finish(run.jobId)).rejects.toThrow('PATH_NOT_FOUND')
      await using visit = await site().enter()
      await visit.open(`/sources/${source.id}?tab=timeline`)
      await visit.by('gap').waitFor()
      const gaps = await visit.by('gaps').textContent()
      expect(gaps).toContain('1 run without a point')
      await visit.keep('timeline-gap-en-light-wide')
      await api.call('deleteSource', { params, body: { confirm: 'gone', reason: 'a test' } })
      expect(visit.complaints).toEqual([])
    })

    test('shows what the server refused, in the wizard too', async () => {
      await using visit = await site().enter()
      const { items } = await site().server.api.call('listHosts')
      const agent = items.find(({ kind }) => kind === 'agent')!
      const query = new URLSearchParams({
        step: 'review',
        hostId: agent.id,
        path: '/no/such/directory',
        policyId: 'none',
        name: 'files',
      })
      await visit.open(`/protect?${query}`)
      await visit.page.locator('[data-testid=check-path][data-state=bad]').waitFor()
      await visit.by('begin').click()
      await visit.by('step-review').getByTestId('problem').waitFor()
      expect(visit.complaints).toEqual([])
    })
  })

  test('leads from an empty product to the first recovery, until it is hidden', async () => {
    await using visit = await site().enter()
    const { page } = visit
    await page.route(/\/api\/v1\/(?:media|hosts)\?/, (route) =>
      route.fulfill({ json: { items: [], next: null } }),
    )
    await page.route('**/api/v1/status', async (route) => {
      const response = await route.fetch()
      const status = (await response.json()) as { sources: object; points: object }
      const sources = { ...status.sources, total: 0 }
      await route.fulfill({ response, json: { ...status, sources } })
    })
    await visit.open('/')
    await page.locator('[data-testid=first-pool][data-done=true]').waitFor()
    await page.locator('[data-testid=first-agent][data-done=false]').waitFor()
    await visit.keep('first-run-en-light-wide')
    await visit.by('first-source-go').click()
    await visit.by('step-what').waitFor()
    await visit.open('/')
    await visit.by('first-run-hide').click()
    await visit.by('first-run').waitFor({ state: 'detached' })
    expect(visit.complaints).toEqual([])
  })

  test('says why a database cannot be protected, and goes no further', async () => {
    await using visit = await site().enter()
    const { items } = await site().server.api.call('listHosts')
    const agent = items.find(({ kind }) => kind === 'agent')!
    await visit.open(`/protect?hostId=${agent.id}`)
    await visit.by('by-address-postgres').click()
    // Nobody listens there: the port is reserved.
    await visit.by('database-port').fill('1')
    await visit.by('database-check').click()
    const { page } = visit
    const answer = '[data-testid=database] :is([data-testid=problem], [data-ok=false])'
    await page.locator(answer).first().waitFor()
    expect(await visit.by('next').isDisabled()).toBe(true)
    expect(visit.complaints).toEqual([])
  })

  describe('policies and hosts', () => {
    test('a promise is simulated, and a weaker one wants a reason', async () => {
      await using visit = await site().enter()
      await visit.open('/policies/new')
      await visit.by('policy-name').fill('nightly')
      await visit.by('simulation').getByTestId('chart').waitFor()
      await visit.by('verify').click()
      await visit.by('verify-points').click()
      await visit.page.getByTitle('Every one, as soon as it is taken').click()
      await visit.by('save-policy').click()
      await visit.by('save-ok').click()
      await visit.page.waitForURL(/\/policies\/plc_/)
      await visit.page.getByRole('heading', { name: 'nightly' }).waitFor()
      await visit.by('keep-daily').fill('1')
      await visit.by('save-policy').click()
      await visit.by('save-dialog').getByTestId('impact').waitFor()
      expect(await visit.by('save-ok').isDisabled()).toBe(true)
      await visit.by('save-reason').fill('less is enough')
      await visit.by('save-ok').click()
      await visit.page.locator('[data-testid=save-dialog]').waitFor({ state: 'detached' })
      const { items } = await site().server.api.call('listPolicies', {
        query: { 'filter[name]': 'nightly' },
      })
      expect(items[0]!.spec.retention.daily).toBe(1)
      expect(items[0]!.spec.verify?.points).toBe('each')
      expect(visit.complaints).toEqual([])
    })

    test('says what is wrong with a cron that nobody can follow', async () => {
      await using visit = await site().enter()
      await visit.open('/policies/new')
      await visit.page.getByText('When exactly, and what goes first').click()
      await visit.by('cron').fill('61 99 * * *')
      await visit.by('preview').getByTestId('problem').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('makes a line by which a machine joins, and waits for it', async () => {
      await using visit = await site().enter()
      await visit.open('/hosts?join=agent')
      await visit.by('join-make').click()
      const command = await visit.by('join-command').textContent()
      expect(command).toMatch(/^openmaas agent join https:\/\/\S+ --token \S+ --fingerprint \S+$/)
      await visit.by('join-state').getByText('Waiting').waitFor()
      const { NODE_OPTIONS: _options, ...env } = process.env
      const [, ...words] = command!.split(' ')
      const options = ['--data', site().directory.join('joined'), '--name', 'web-1']
      await run(OPENMAAS, [...words, ...options], { env, timeout: JOIN_MAX_MS })
      // Told by an event: nobody reloads.
      await visit.by('joined').getByText('web-1 has joined').waitFor()
      // Other tests have one agent, and find it.
      const { api } = site().server
      const { items } = await api.call('listHosts', { query: { 'filter[name]': 'web-1' } })
      const body = { confirm: 'web-1', reason: 'a test' }
      await api.call('removeHost', { params: { hostId: items[0]!.id }, body })
      expect(visit.complaints).toEqual([])
    })

    test('refuses to remove a host that is not named, and says what would happen', async () => {
      await using visit = await site().enter()
      const { items } = await site().server.api.call('listHosts')
      const agent = items.find(({ kind }) => kind === 'agent')!
      await visit.open(`/hosts/${agent.id}`)
      await visit.by('remove-host').click()
      await visit.by('plan').locator('li, [data-testid=problem]').first().waitFor()
      await visit.by('confirm-name').fill('another')
      await visit.by('confirm-reason').fill('a test')
      const remove = visit.page.getByRole('dialog').getByRole('button', { name: 'Remove host' })
      expect(await remove.isDisabled()).toBe(true)
      expect(visit.complaints).toEqual([])
    })

    test.each(LOOKS)('$language $theme $size: nothing is cut, axe is content', async (look) => {
      await using visit = await site().enter(look)
      const { sourceId } = site()
      const { items: hosts } = await site().server.api.call('listHosts')
      const { items: policies } = await site().server.api.call('listPolicies')
      const agent = hosts.find(({ kind }) => kind === 'agent')!
      const draft = `hostId=${agent.id}&path=${encodeURIComponent(site().directory.path)}`
      const promise = `policyId=${policies[0]!.id}`
      const pages: Record<string, string> = {
        sources: '/sources',
        timeline: `/sources/${sourceId}?tab=timeline`,
        protect: `/protect?${draft}`,
        policy: `/policies/${policies[0]!.id}`,
        ...ofOneLook[LOOKS.indexOf(look)]!({ sourceId, hostId: agent.id, draft, promise }),
      }
      const wrong: string[] = []
      for (const [name, path] of Object.entries(pages)) {
        wrong.push(...(await visit.look(name, path, look)))
      }
      expect(wrong).toEqual([])
      expect(visit.complaints).toEqual([])
    })
  })
}
