/** The frame and the first screens: login, dashboard, jobs, palette, languages. */
import { describe, expect, test } from 'vitest'
import { LOOKS } from './browser.test-support.ts'
import type { ConsoleSite } from './browser.test-support.ts'

export function testShell(site: () => ConsoleSite): void {
  describe('the shell', () => {
    test('refuses a wrong password with the reason, and leads in with the right one', async () => {
      await using visit = await site().visit()
      await visit.open('/jobs')
      expect(await visit.by('title').textContent()).toBe('Log in')
      await visit.by('name').fill(site().login.name)
      await visit.by('password').fill('not the password')
      await visit.by('submit').click()
      await visit.page.locator('[data-code=LOGIN_FAILED]').waitFor()
      await visit.by('password').fill(site().login.password)
      await visit.by('submit').click()
      // Where the address led at first.
      await visit.by('list-jobs').waitFor()
      expect(new URL(visit.page.url()).pathname).toBe('/jobs')
      expect(visit.complaints).toEqual([])
    })

    test('lists jobs, opens one, and keeps the filter in the address', async () => {
      await using visit = await site().enter()
      await visit.open('/jobs?kind=protect&state=succeeded%2Cwarning%2Cfailed%2Ccancelled')
      await visit.by(`job-${site().jobId}`).waitFor()
      expect(await visit.by('filter-state').textContent()).toContain('History')
      await visit.page.keyboard.press('j')
      await visit.page.keyboard.press('Enter')
      await visit.by('log').waitFor()
      expect(await visit.by('title').textContent()).toBe('Protect')
      expect(await visit.by('equivalents').textContent()).toContain(
        `openmaas job show ${site().jobId}`,
      )
      expect(visit.complaints).toEqual([])
    })

    test('shows when work clashes, and leads to what ran in an hour', async () => {
      await using visit = await site().enter()
      await visit.open('/jobs')
      await visit.by('to-calendar').click()
      await visit.by('job-calendar').waitFor()
      await visit.by('job-calendar').locator('a').first().click()
      await visit.by('list-jobs').waitFor()
      expect(new URL(visit.page.url()).searchParams.get('from')).not.toBeNull()
      await visit.open('/jobs/calendar?day=2020-02-02')
      await visit.by('empty').waitFor()
      await visit.by('today').click()
      await visit.by('job-calendar').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('holds the log of a job still, and saves it', async () => {
      await using visit = await site().enter()
      await visit.open(`/jobs/${site().jobId}`)
      await visit.by('log').waitFor()
      await visit.by('log-pause').click()
      await visit.page.getByText('Paused: newer lines are not shown.').waitFor()
      const [download] = await Promise.all([
        visit.page.waitForEvent('download'),
        visit.by('log-download').click(),
      ])
      expect(download.suggestedFilename()).toBe(`${site().jobId}.log`)
      expect(visit.complaints).toEqual([])
    })

    test('says that there is nothing at an address of a job that does not exist', async () => {
      await using visit = await site().enter()
      await visit.page.goto(`/jobs/${site().jobId.slice(0, -4)}0000`)
      await visit.by('missing').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('shows a job that begins without being asked for it', async () => {
      await using visit = await site().enter()
      await visit.open('/jobs')
      await visit.by(`job-${site().jobId}`).waitFor()
      const { items } = await site().server.api.call('listSources')
      const run = await site().server.api.call('protectSource', {
        params: { sourceId: items[0]!.id },
        body: {},
      })
      await visit.by(`job-${run.jobId}`).waitFor()
      await site().server.api.finish(run.jobId)
      await visit.page.locator(`tr[data-row-key=${run.jobId}] [data-state=succeeded]`).waitFor()
    })

    test('goes where the palette is told, by keyboard', async () => {
      await using visit = await site().enter()
      await visit.open('/')
      await visit.page.keyboard.press('Control+k')
      await visit.by('search-input').fill('jobs')
      await visit.page.keyboard.press('Enter')
      await visit.by('list-jobs').waitFor()
    })

    test('switches to Chinese without a reload', async () => {
      await using visit = await site().enter()
      await visit.open('/')
      await visit.by('language').click()
      await visit.page.getByRole('heading', { name: '总览' }).waitFor()
      expect(await visit.page.getAttribute('html', 'lang')).toBe('zh-CN')
    })

    test.each(LOOKS)('$language $theme $size: nothing is cut, axe is content', async (look) => {
      await using visit = await site().enter(look)
      expect(await visit.look('dashboard', '/', look)).toEqual([])
      expect(await visit.look('jobs', '/jobs', look)).toEqual([])
      expect(await visit.look('job', `/jobs/${site().jobId}`, look)).toEqual([])
      expect(await visit.look('job-calendar', '/jobs/calendar', look)).toEqual([])
      expect(visit.complaints).toEqual([])
    })
  })
}
