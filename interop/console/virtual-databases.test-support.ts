/**
 * Virtual databases of a real production PostgreSQL, by clicks: made, connected to, bookmarked,
 * refreshed, dropped; and as a data consumer has them, who asks for consent first.
 */
import { withConnection } from '@openmaas/source-postgres/connection'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LOOKS } from './browser.test-support.ts'
import type { ConsoleSite, Visit } from './browser.test-support.ts'
import { enterAs } from './people.test-support.ts'
import { testDatabaseVerbs, testRecoverProduction } from './database-verbs.test-support.ts'
import { HAS_POSTGRES, LIMIT, READY_MAX_MS, runs, Shop } from './shop.test-support.ts'

export function testVirtualDatabases(site: () => ConsoleSite): void {
  const title = HAS_POSTGRES ? '' : ' (skipped: PostgreSQL 15 missing)'
  describe.skipIf(!HAS_POSTGRES)(`virtual databases${title}`, () => {
    let shop: Shop
    let page = ''

    beforeAll(async () => {
      shop = await Shop.start(site())
      await shop.protect()
    }, READY_MAX_MS)

    afterAll(() => shop?.[Symbol.asyncDispose](), READY_MAX_MS)

    test('from an empty list to a database that is connected to', async () => {
      await using visit = await site().enter()
      await visit.open('/virtual-databases')
      await visit.by('empty').getByTestId('create-database').click()
      await visit.by('plan-facts').waitFor()
      expect(await visit.by('moment-newest').textContent()).toContain('newest recovery point')
      await visit.by('database-name').fill('shop-test')
      await visit.by('database-go').click()
      await runs(visit)
      page = new URL(visit.page.url()).pathname
      expect(await visit.by('database-steps').textContent()).toContain('Recover and start')
      // Nobody sees the password without asking for it.
      expect(await visit.by('connection-password').count()).toBe(0)
      expect(await rowsSeen(visit)).toEqual([1])
      expect(await visit.by('connection-command').textContent()).toMatch(/^psql /)
      await lookAt(visit, 'vdb-connected-en-light-wide')
      expect(visit.complaints).toEqual([])
      await shop.beginOthers()
    })

    test('keeps its address and password through a bookmark and a refresh', async () => {
      await using visit = await site().enter()
      await visit.open(page)
      await visit.by('bookmark').click()
      await visit.by('bookmark-name').fill('before')
      await visit.by('dialog-ok').click()
      await visit.page.getByRole('tab', { name: 'Timeline' }).click()
      // Told by events: nobody reloads.
      await visit.by('reset-before').waitFor({ timeout: READY_MAX_MS })
      await shop.production.sql('insert into goods values (2)')
      await visit.by('refresh').click()
      await visit.by('moment-kind').getByText('Now').click()
      // Not before somebody has agreed to what is lost.
      expect(await visit.by('loss').textContent()).toContain('is lost')
      expect(await visit.by('dialog-ok').isDisabled()).toBe(true)
      await visit.by('loss-agree').check()
      await visit.by('dialog-ok').click()
      await visit.page.locator('h1 ~ [data-state=refreshing]').waitFor()
      await runs(visit)
      await visit.page.getByRole('tab', { name: 'Overview' }).click()
      expect(await rowsSeen(visit)).toEqual([1, 2])
      expect(visit.complaints).toEqual([])
    })

    test('says why a moment cannot be had, before anything is made', async () => {
      await using visit = await site().enter()
      await visit.open(`/virtual-databases/new?sourceId=${shop.sourceId}`)
      await visit.by('moment-kind').getByText('Exact time').click()
      await visit.by('range').waitFor()
      await visit.by('moment-time').fill('14:03:07 last Tuesday')
      await visit.by('moment-verdict').getByText('older than the oldest').waitFor()
      expect(await visit.by('database-go').isDisabled()).toBe(true)
      await visit.by('moment-kind').getByText('Newest point').click()
      await visit.by('plan-facts').waitFor()
      // Names of those that run are unique: the server says so, and nothing is made.
      await visit.by('database-name').fill('shop-test')
      await visit.by('database-go').click()
      await visit.page.locator('[data-code=NAME_TAKEN]').waitFor()
      expect(visit.complaints).toEqual([])
    })

    testDatabaseVerbs(site, { shop: () => shop, page: () => page })

    test('a data consumer asks, and has it by one click once somebody has consented', async () => {
      await using visit = await enterAs(site(), 'data-consumer')
      await visit.open('/virtual-databases')
      // Only their own: that of the administrator is not there.
      await visit.by('empty').waitFor()
      await visit.by('self-service').waitFor()
      expect(await visit.page.locator('nav a[href="/sources"]').count()).toBe(0)
      await visit.by('empty').getByTestId('create-database').click()
      await visit.by('plan-facts').waitFor()
      await visit.by('database-name').fill('mine')
      await visit.by('database-reason').fill('a test of the shop')
      await visit.by('database-go').click()
      await visit.by('asked-go').click()
      await visit.by('requests').locator('[data-state=waiting]').waitFor()
      await lookAt(visit, 'vdb-requests-en-light-wide')
      await consent(site())
      await visit.page.reload()
      await visit.by('request-create').click()
      // Its page, where it comes into being; that it runs is shown above.
      await visit.by('database-connection').waitFor()
      await visit.page.locator('h1 ~ [data-state]').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test.each(LOOKS)('$language $theme $size: nothing is cut, axe is content', async (look) => {
      await using visit = await site().enter(look)
      const screens: [name: string, path: string, testId: string][] = [
        ['vdb', page, 'database-steps'],
        ['vdb-new', `/virtual-databases/new?sourceId=${shop.sourceId}`, 'plan-facts'],
      ]
      if (look.size === 'wide') {
        screens.push(['vdbs', '/virtual-databases', 'vdb-shop-test'])
        screens.push(['vdb-timeline', `${page}?tab=timeline`, 'bookmark-before'])
        screens.push(['vdb-tests', `${page}?tab=tests`, 'snippet'])
        screens.push(['groups', '/groups', 'group-till'])
      } else screens.push(['group', `/groups/${shop.groupId}`, 'group-points'])
      const wrong: string[] = []
      for (const [name, path, testId] of screens) {
        await visit.open(path)
        await visit.by(testId).waitFor()
        const whole = `${name}-${look.language}-${look.theme}-${look.size}`
        if (name === 'vdb-new') await chooseSecond(visit)
        wrong.push(...(await lookAt(visit, whole)))
      }
      expect(wrong).toEqual([])
      expect(visit.complaints).toEqual([])
    })

    test('is dropped with its name and a reason, and the audit log has it', async () => {
      await using visit = await site().enter()
      await visit.open(page)
      await visit.by('more').click()
      await visit.by('drop').click()
      await visit.by('plan').locator('li').first().waitFor()
      await visit.by('confirm-name').fill('shop-test')
      await visit.by('confirm-reason').fill('the test is over')
      await visit.page.locator('.ant-modal-footer .ant-btn-dangerous').click()
      await visit.by('list-virtual-databases').waitFor()
      const params = { virtualDatabaseId: page.split('/').at(-1)! }
      const isGone = async (): Promise<boolean> => {
        const { state } = await site().server.api.call('getVirtualDatabase', { params })
        return state === 'dropped'
      }
      await waitFor('it is dropped', isGone, LIMIT)
      await visit.open(`${page}?tab=activity`)
      await visit.by('dropped').waitFor()
      await visit.by('activity').getByText('the test is over').waitFor()
      expect(visit.complaints).toEqual([])
    })

    testRecoverProduction(site, () => shop)
  })
}

/** One before the newest that can be had. */
async function chooseSecond(visit: Visit): Promise<void> {
  await visit.by('moment-kind').locator('label').nth(2).click()
  await visit.by('range').press('ArrowLeft')
  await visit.by('plan-facts').waitFor()
}

/** As somebody connects who copies what the page shows. */
async function rowsSeen(visit: Visit): Promise<number[]> {
  await visit.by('reveal').click()
  await visit.by('connection-revealed').waitFor()
  const read = async (name: string) => (await visit.by(`connection-${name}`).textContent())!
  const [host, port, user, password] = await Promise.all(
    ['host', 'port', 'user', 'password'].map((name) => read(name)),
  )
  const place = { host: host!, port: Number(port), user: user!, password: password! }
  return withConnection({ ...place, tls: 'off', ca: null }, async (queries) => {
    const rows = await queries.rows('select row from goods order by row')
    return rows.map((each) => Number(each['row']))
  })
}

/** By the security officer, as the console would ask for it. */
async function consent(site: ConsoleSite): Promise<void> {
  await using officer = await enterAs(site, 'security-officer')
  await officer.open('/approvals')
  await officer.by('approve').first().click()
  await officer.by('dialog-ok').click()
  await officer.page.locator('[data-state=approved]').first().waitFor()
}

/** @returns what is wrong with it: cut off, or by axe */
async function lookAt(visit: Visit, name: string): Promise<string[]> {
  await visit.settled()
  await visit.keep(name)
  const cut = (await visit.fits()) ? [] : ['wider than the window']
  return [...cut, ...(await visit.axe())].map((text) => `${name}: ${text}`)
}
