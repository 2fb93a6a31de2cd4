/**
 * Recover, files of a point, media: what was deleted is found by its name in an earlier point,
 * looked at, restored, and the point mounted and unmounted again, by a person's clicks.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LOOKS } from './browser.test-support.ts'
import type { ConsoleSite, Visit } from './browser.test-support.ts'

const TEXT = 'the budget of 2026\n'

/** A source whose second point lacks what its first one has. */
class Lost {
  readonly #site: ConsoleSite
  readonly folder: string
  sourceId = ''
  readonly pointIds: string[] = []

  constructor(site: ConsoleSite) {
    this.#site = site
    this.folder = site.directory.join('orders')
  }

  async prepare(): Promise<void> {
    const { api } = this.#site.server
    mkdirSync(`${this.folder}/docs`, { recursive: true })
    writeFileSync(`${this.folder}/docs/budget.txt`, TEXT)
    writeFileSync(`${this.folder}/readme.txt`, 'read me')
    const { items } = await api.call('listHosts')
    const hostId = items.find(({ kind }) => kind === 'agent')!.id
    const body = { name: 'orders', hostId, path: this.folder }
    this.sourceId = (await api.call('createSource', { body })).id
    await this.#protect()
    rmSync(`${this.folder}/docs/budget.txt`)
    await this.#protect()
  }

  async #protect(): Promise<void> {
    const { api } = this.#site.server
    const params = { sourceId: this.sourceId }
    const run = await api.call('protectSource', { params, body: {} })
    const { pointId } = await api.finish(run.jobId)
    this.pointIds.push(pointId!)
  }
}

export function testRecover(site: () => ConsoleSite): void {
  describe('recover, files and media', () => {
    let lost: Lost

    beforeAll(async () => {
      lost = new Lost(site())
      await lost.prepare()
    })

    afterAll(() => rmSync(lost.folder, { recursive: true, force: true }))

    test('a deleted file is found by its name in an earlier point, and restored to its place', async () => {
      await using visit = await site().enter()
      await visit.open('/')
      await visit.by('recover').click()
      await visit.by('recover-search').fill('budget')
      await visit.by('recover-file-/docs/budget.txt').click()
      // Only the first point has it.
      await visit.page
        .locator(`[data-testid=chosen-point][data-point=${lost.pointIds[0]}]`)
        .waitFor()
      await visit.by('way-restore').click()
      await visit.page.locator('[data-testid=restore-plan] [data-checked=true]').waitFor()
      expect(await visit.by('restore-becomes').textContent()).toContain(
        `${lost.folder}/docs/budget.txt`,
      )
      await visit.by('restore-go').click()
      await visit.by('restore-done').waitFor()
      expect(readFileSync(`${lost.folder}/docs/budget.txt`, 'utf8')).toBe(TEXT)
      expect(visit.complaints).toEqual([])
    })

    test('from Recover to a mounted point it is four clicks; unmounting leaves nothing', async () => {
      await using visit = await site().enter()
      await visit.open('/')
      const clicks = ['recover', 'recover-source-orders', 'way-mount', 'mount-go']
      for (const testId of clicks) await visit.by(testId).click()
      await visit.by('ready').waitFor()
      expect(await visit.by('medium-steps').textContent()).toContain('Prepare and export')
      const place = (await visit.by('path').textContent())!
      expect(readFileSync(`${place}/readme.txt`, 'utf8')).toBe('read me')
      await extend(visit)
      expect(await lookAt(visit, 'medium-mounted-en-light-wide')).toEqual([])
      await visit.by('eject').click()
      await visit.by('eject-confirm').click()
      await visit.by('ended').waitFor()
      expect(existsSync(`${place}/readme.txt`)).toBe(false)
      expect(visit.complaints).toEqual([])
    })

    test('says why nothing can be mounted when its host takes no new work', async () => {
      const { api } = site().server
      const { items } = await api.call('listHosts')
      const params = { hostId: items.find(({ kind }) => kind === 'agent')!.id }
      await using visit = await site().enter()
      await visit.open(`/media?mount=${lost.pointIds[0]}`)
      await visit.by('mount-go').waitFor()
      await api.call('drainHost', { params, body: {} })
      try {
        await visit.by('mount-go').click()
        await visit.page.locator('[data-code=HOST_DRAINED]').waitFor()
      } finally {
        await api.call('resumeHost', { params })
      }
    })

    test('a folder is walked, a file is previewed, and versions lead to other points', async () => {
      await using visit = await site().enter()
      await visit.open(`/points/${lost.pointIds[0]}/files`)
      await visit.by('open-docs').click()
      await visit.by('open-budget.txt').click()
      expect(await visit.by('preview-text').textContent()).toBe(TEXT)
      await visit.by('versions').locator('li').first().waitFor()
      expect(await visit.by('versions').locator('li').count()).toBe(1)
      expect(new URL(visit.page.url()).searchParams.get('file')).toBe('/docs/budget.txt')
      expect(visit.complaints).toEqual([])
    })

    test('what this point lacks is looked for in all points; the basket restores it elsewhere', async () => {
      await using visit = await site().enter()
      await visit.open(`/points/${lost.pointIds[1]}/files?q=budget`)
      await visit.by('search-everywhere').click()
      await visit.by('choose-/docs/budget.txt').check()
      await visit.by('basket-restore').click()
      await visit.by('restore-where').getByText('Another place').click()
      const to = site().directory.join('elsewhere')
      await visit.by('restore-to').locator('input').fill(to)
      await visit.page.locator('[data-testid=restore-plan] [data-checked=true]').waitFor()
      await visit.by('restore-go').click()
      await visit.by('restore-done').waitFor()
      await waitFor('the file is there', () => existsSync(`${to}/docs/budget.txt`))
      expect(visit.complaints).toEqual([])
    })

    test('a point that does not exist, and a folder that is not in it, are said so', async () => {
      await using visit = await site().enter()
      await visit.page.goto(`/points/${lost.pointIds[0]!.slice(0, -4)}0000/files`)
      await visit.by('missing').waitFor()
      await visit.page.goto(`/points/${lost.pointIds[0]}/files?path=%2Fnowhere`)
      await visit.by('problem').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test.each(LOOKS)('$language $theme $size: nothing is cut, axe is content', async (look) => {
      await using visit = await site().enter(look)
      const { sourceId, pointIds } = lost
      const { items } = await site().server.api.call('listMedia')
      const restore = `sourceId=${sourceId}&path=%2Fdocs%2Fbudget.txt&how=restore`
      const files = `/points/${pointIds[0]}/files`
      // What is looked at, where, and what has to be there before the picture is taken.
      const pictures: [name: string, path: string, testId: string][] = [
        ['recover', `/recover?sourceId=${sourceId}`, 'way-mount'],
        ['restore', `/recover?${restore}`, 'restore-plan'],
        ['files', files, 'open-docs'],
        ['mount', `/media?mount=${pointIds[0]}`, 'mount-go'],
        ['media', '/media', 'list-media'],
        ['medium', `/media/${items[0]!.id}`, 'medium-steps'],
      ]
      // Both languages and both themes are enough for these.
      if (look.size === 'wide') {
        pictures.push(['recover-what', '/recover?q=budget', 'recover-file-/docs/budget.txt'])
        pictures.push(['file', `${files}?file=%2Freadme.txt`, 'preview-text'])
      }
      for (const [name, path, testId] of pictures) {
        await visit.open(path)
        await visit.by(testId).waitFor()
        expect(await lookAt(visit, `${name}-${look.language}-${look.theme}-${look.size}`)).toEqual(
          [],
        )
      }
      expect(visit.complaints).toEqual([])
    })
  })
}

/** Of what is open, drawers too. @returns what is wrong with it */
async function lookAt(visit: Visit, name: string): Promise<string[]> {
  await visit.settled()
  // A drawer that still slides in is cut off, and too pale for axe. A spinner never ends.
  await visit.page.evaluate(`Promise.allSettled(document.getAnimations()
    .filter(({ effect }) => effect.getTiming().iterations !== Infinity)
    .map(({ finished }) => finished)).then(() => null)`)
  await visit.keep(name)
  return visit.flaws(name, name.includes('zh-CN') ? 'zh-CN' : 'en')
}

/** A longer life is seen at once. */
async function extend(visit: Visit): Promise<void> {
  await visit.by('extend').click()
  await visit.page.getByRole('status').getByText('Extended').waitFor()
}
