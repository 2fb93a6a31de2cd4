/** What a role sees: every screen it is led to, every verb there, and whether the server agrees. */
import type { Permission, Role } from '@openmaas/api/permissions'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { ConsoleSite, Visit } from './browser.test-support.ts'
import { enterAs } from './people.test-support.ts'

/** Buttons and links that change something, by the beginning of their test id. */
const VERBS: readonly (readonly [testId: RegExp, permission: Permission])[] = [
  [/^(create|adopt)-pool$|^pool-(check|collect|edit|remove)$/, 'pool.write'],
  [/^protect-(something|here|database)$|^save-source$|^remove-source$|^pause$/, 'source.write'],
  [/^bulk-(assign|pause|resume|labels)$|^first-source-go$/, 'source.write'],
  [/^run(-now)?$|^bulk-run$|^retry-job$/, 'source.protect'],
  [/^mount-something$|^way-mount$|^mount-go$|^point-mount$/, 'medium.plug'],
  [/^eject$|^force-eject$|^extend$/, 'medium.eject'],
  [/^point-restore$|^way-restore$|^restore-go$|^basket-restore$/, 'point.restore'],
  [/^point-delete$/, 'point.delete'],
  [/^point-lock$/, 'point.lock'],
  [/^point-browse$|^browse-point$/, 'point.browse'],
  [/^(new|copy|save|remove|revert)-policy$/, 'policy.write'],
  [/^cancel$/, 'job.cancel'],
  [/^add-host$|^join-make$/, 'host.enrol'],
  [/^(drain|edit|save)-host$/, 'host.write'],
  [/^remove-host$/, 'host.remove'],
  [/^acknowledge$|^silence$|^unsilence$/, 'alert.acknowledge'],
  [/^add$|^test-|^change-everything$|^enabled-/, 'notification.write'],
  [/^verify-chain$/, 'audit.verify'],
  [/^export-audit$/, 'audit.export'],
  [/^add-user$|^change-user$|^toggle-user$|^reset-password$|^remove-user$/, 'user.write'],
  [/^(un)?lock-user$/, 'user.lock'],
  [/^approve$|^refuse$/, 'approval.decide'],
  [/^save-settings$/, 'setting.write'],
  [/^support-bundle$/, 'support.read'],
  [/^create-database$|^way-database$/, 'virtual-database.create'],
  [/^recover-production-here$/, 'virtual-database.recover'],
  [/^way-back$/, 'virtual-database.promote'],
]

const ENABLED = 'button[data-testid]:enabled, a[data-testid]'

/** A busy machine is slow. */
const SHOWN_MAX_MS = 120_000

export interface Walk {
  readonly visited: readonly string[]
  /** Verbs that were offered. */
  readonly verbs: readonly string[]
  /** Answers and buttons that the role should not have met. */
  readonly wrong: readonly string[]
}

/** Opens every screen of the navigation by its entry, then pages of single things. */
export async function walk(site: ConsoleSite, role: Role, pages: readonly string[]): Promise<Walk> {
  await using visit = await enterAs(site, role)
  const wrong: string[] = []
  visit.page.on('response', (answer) => {
    const { pathname } = new URL(answer.url())
    if (answer.status() === 403) wrong.push(`403 ${answer.request().method()} ${pathname}`)
  })
  const me = (await (await visit.context.request.get('/api/v1/me')).json()) as {
    readonly permissions: readonly Permission[]
  }
  const verbs = new Set<string>()
  const look = async (): Promise<void> => {
    await visit.settled()
    for (const testId of await verbsOn(visit)) {
      verbs.add(testId)
      const needed = VERBS.find(([name]) => name.test(testId))![1]
      if (!me.permissions.includes(needed)) wrong.push(`${visit.page.url()}: ${testId}`)
    }
  }
  await visit.open('/account')
  const entries = visit.page.locator('[data-testid=navigation] a')
  const visited: string[] = []
  for (let n = 0; n < (await entries.count()); n += 1) {
    const entry = entries.nth(n)
    const path = (await entry.getAttribute('href'))!
    const before = await visit.by('title').textContent()
    await entry.click()
    // The address changes first; until its data is there, the page before is shown.
    await waitFor(
      `${path} is shown`,
      async () => {
        const title = visit.by('title').or(visit.by('forbidden')).first()
        return (await title.textContent()) !== before
      },
      { timeoutMs: SHOWN_MAX_MS },
    )
    if ((await visit.by('forbidden').count()) > 0) wrong.push(`${path} is forbidden`)
    visited.push(path)
    await look()
  }
  for (const path of pages) {
    await visit.page.goto(path)
    // Said in words where the role may not see it, without asking the server.
    const said = ['title', 'forbidden', 'missing', 'problem'].map((testId) => visit.by(testId))
    await said
      .reduce((one, other) => one.or(other))
      .first()
      .waitFor()
    if ((await visit.by('problem').count()) > 0) {
      wrong.push(`${path}: ${await visit.by('problem').first().textContent()}`)
    }
    await look()
  }
  wrong.push(...visit.complaints)
  return { visited, verbs: [...verbs].toSorted(), wrong }
}

async function verbsOn(visit: Visit): Promise<string[]> {
  const main = visit.page.locator('main')
  const shown = await main
    .locator(ENABLED)
    .evaluateAll((elements) =>
      elements
        .filter((element) => element.getClientRects().length > 0)
        .map((element) => element.getAttribute('data-testid')!),
    )
  return shown.filter((testId) => VERBS.some(([name]) => name.test(testId)))
}
