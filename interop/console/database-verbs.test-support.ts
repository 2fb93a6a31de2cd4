/**
 * What is done with a virtual database, by clicks: verified, branched, moved to a local directory,
 * paused and resumed; a group and its databases of one moment; and production recovered.
 */
import { existsSync } from 'node:fs'
import { withConnection } from '@openmaas/source-postgres/connection'
import { expect, test } from 'vitest'
import { finish } from '../databases/finish.test-support.ts'
import type { ConsoleSite, Visit } from './browser.test-support.ts'
import { READY_MAX_MS, running, runs, type Shop } from './shop.test-support.ts'

interface Known {
  readonly shop: () => Shop
  /** Of a database that runs. */
  readonly page: () => string
}

const WAIT = { timeout: READY_MAX_MS }

export function testDatabaseVerbs(site: () => ConsoleSite, { shop, page }: Known): void {
  test('the point below it is verified by an engine, and the job says what it does', async () => {
    await using visit = await site().enter()
    await visit.open(page())
    await visit.by('more').click()
    await visit.by('verify').click()
    await visit.by('verify-assertions').fill('postgres: select count(*) > 0 from goods')
    await visit.by('dialog-ok').click()
    await visit.page.waitForURL(/\/jobs\/job_/)
    await visit.page.locator('h1 ~ [data-state=succeeded]').waitFor(WAIT)
    expect(await visit.by('steps').textContent()).toContain('Ask the engine')
    expect(visit.complaints).toEqual([])
  })

  test('a branch of it is made, and moved to a local directory', async () => {
    await using visit = await site().enter()
    await visit.open(page())
    await visit.by('branch').click()
    await visit.by('branch-name').fill('shop-branch')
    await visit.by('dialog-ok').click()
    await visit.page.getByRole('heading', { name: 'shop-branch' }).waitFor()
    await runs(visit)
    const directory = shop().directory('branch')
    await promote(visit, directory)
    await visit.page.locator('h1 ~ [data-state=promoting]').waitFor()
    await runs(visit)
    await visit.by('database-facts').getByText(directory).waitFor()
    expect(existsSync(directory)).toBe(true)
    // It has no clone to go back on.
    expect(await visit.by('refresh').count()).toBe(0)
    expect(visit.complaints).toEqual([])
  })

  test('one that follows production is paused and goes on', async () => {
    await finish(site().server.api, shop().live.jobId)
    await using visit = await site().enter()
    await visit.open(`/virtual-databases/${shop().live.virtualDatabaseId}`)
    const sync = (state: string) =>
      visit.page.locator(`[data-testid=live-sync][data-state=${state}]`)
    await sync('following').waitFor(WAIT)
    await visit.by('pause-sync').click()
    await sync('paused').waitFor(WAIT)
    await visit.by('resume-sync').click()
    await sync('following').waitFor(WAIT)
    await visit.by('pause-sync').waitFor()
    // It has nothing of its own that a refresh could lose.
    await visit.by('refresh').click()
    expect(await visit.by('loss').count()).toBe(0)
    expect(await visit.by('dialog-ok').isEnabled()).toBe(true)
    expect(visit.complaints).toEqual([])
  })

  test('a group is made of two databases, and each is had as of one moment', async () => {
    await finish(site().server.api, shop().stockJobId)
    await using visit = await site().enter()
    await visit.open('/groups')
    await visit.by('create-group').click()
    await visit.by('group-name').fill('counter')
    await visit.by('group-members').click()
    for (const name of ['shop', 'stock']) {
      await visit.page.locator(`.ant-select-item-option[title=${name}]`).click()
    }
    // Not Escape, which closes the dialog as well.
    await visit.by('group-name').click()
    await visit.by('dialog-ok').click()
    await visit.page.waitForURL(/\/groups\/grp_/)
    const group = new URL(visit.page.url()).pathname
    await visit.by('protect-group').click()
    await visit.page.waitForURL(/\/jobs\/job_/)
    // A warning says that this machine was too busy to measure its clocks well.
    await visit.page.locator('h1 ~ :is([data-state=succeeded], [data-state=warning])').waitFor(WAIT)
    await visit.open(group)
    await visit.by('group-databases').click()
    await visit.by('group-prefix').fill('at-once')
    await visit.by('dialog-ok').click()
    await visit.by('list-virtual-databases').waitFor()
    const made = ['at-once-shop', 'at-once-stock']
    const ids = await Promise.all(made.map((name) => running(site(), name)))
    const { api } = site().server
    const shown = await Promise.all(
      ids.map((id) => api.call('getVirtualDatabase', { params: { virtualDatabaseId: id } })),
    )
    expect(shown[0]!.target).toMatchObject({ kind: 'time' })
    expect(shown[1]!.target).toEqual(shown[0]!.target)
    for (const name of made) await visit.by(`vdb-${name}`).waitFor()
    expect(visit.complaints).toEqual([])
  })
}

/** From the page of a database that runs. */
async function promote(visit: Visit, directory: string): Promise<void> {
  await visit.by('more').click()
  await visit.by('promote').click()
  await visit.by('promote-directory').fill(directory)
  // The dry run, which the host has a say in.
  await visit.page.locator('.ant-modal li').first().waitFor()
  await visit.by('dialog-ok').click()
}

/** The last one: production is down after it. */
export function testRecoverProduction(site: () => ConsoleSite, shop: () => Shop): void {
  test('production is recovered once it is gone, and the way back is offered', async () => {
    const { port, connection } = shop().production
    await using visit = await site().enter()
    await begin(visit)
    expect(await visit.by('recover-words').textContent()).toContain(`127.0.0.1:${port}`)
    expect(await visit.by('recover-port').inputValue()).toBe(String(port))
    expect(await visit.by('recover-production-go').isDisabled()).toBe(true)
    await visit.by('confirm-name').fill('shop')
    await visit.by('confirm-reason').fill('its machine burns')
    await visit.by('recover-production-go').click()
    await visit.page.locator('[data-code=PRODUCTION_ANSWERS]').waitFor()
    await shop().takeDown()
    await visit.by('recover-production-go').click()
    await visit.page.getByRole('heading', { name: 'shop-now' }).waitFor()
    await runs(visit)
    // Applications reconnect to where it was.
    expect(await withConnection(connection, (queries) => queries.value('select 1'))).toBe(1)
    await visit.by('way-back').click()
    await visit.by('promote-directory').fill(shop().directory('production'))
    await visit.page.locator('.ant-modal li').first().waitFor()
    expect(await visit.by('dialog-ok').isEnabled()).toBe(true)
    expect(visit.complaints).toEqual([])
  })

  test('the recovery of production is told in Chinese, too', async () => {
    await using visit = await site().enter({ language: 'zh-CN' })
    await begin(visit)
    await visit.keep('recover-production-zh-CN-light-wide')
    expect(await visit.flaws('recover-production', 'zh-CN')).toEqual([])
  })

  async function begin(visit: Visit): Promise<void> {
    await visit.open(`/sources/${shop().sourceId}`)
    await visit.by('recover-production-here').click()
    await visit.by('plan-facts').waitFor()
  }
}
