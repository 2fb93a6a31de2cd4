/** Pools, alerts, notifications, audit, people, approvals, account, settings. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { LOOKS } from './browser.test-support.ts'
import type { ConsoleSite, Visit } from './browser.test-support.ts'
import { addPerson, enterAs, FIRST_PASSWORD, PASSWORD } from './people.test-support.ts'

/** Of the list below, those that are looked at in all four looks. */
const MAIN_SCREENS = 6

export function testAdmin(site: () => ConsoleSite): void {
  describe('pools', () => {
    test('makes a pool, shows its passphrase once, and checks it', async () => {
      const brick = site().directory.join('second-pool')
      mkdirSync(brick)
      await using visit = await site().enter()
      await visit.open('/pools')
      await visit.by('create-pool').click()
      await visit.by('pool-name').fill('second')
      await visit.by('pool-bricks').locator('input').fill(`${brick}/pool`)
      await visit.by('pool-bricks').locator('input').press('Enter')
      await visit.by('dialog-ok').click()
      const secret = await visit.by('secret').textContent()
      expect(secret!.length).toBeGreaterThan(10)
      expect(await visit.by('secret-done').isDisabled()).toBe(true)
      await visit.by('secret-kept').click()
      await visit.by('secret-done').click()
      await visit.by('capacity').waitFor()
      await visit.by('pool-check').click()
      await visit.by('dialog-ok').click()
      await visit.by('steps').or(visit.by('log')).first().waitFor()
      expect(await visit.by('title').textContent()).toBe('Check pool')
      expect(visit.complaints).toEqual([])
    })

    test('shows the plan of removing a pool, and does nothing for another name', async () => {
      await using visit = await site().enter()
      const { items } = await site().server.api.call('listPools')
      const pool = items.find(({ name }) => name !== 'second')!
      await visit.open(`/pools/${pool.id}`)
      await visit.by('growth').waitFor()
      await visit.by('pool-remove').click()
      await visit.by('plan').getByText('its bytes stay').waitFor()
      await visit.by('confirm-name').fill('not its name')
      await visit.by('confirm-reason').fill('a test')
      expect(await visit.page.locator('.ant-modal-footer .ant-btn-dangerous').isDisabled()).toBe(
        true,
      )
    })
  })

  describe('alerts and notifications', () => {
    test('an inbox where nothing matches says so', async () => {
      await using visit = await site().enter()
      await visit.open(`/alerts?state=resolved&subject=${site().jobId}`)
      await visit.by('empty').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('an alert is silenced with a reason, and calls again when silence is ended', async () => {
      await using visit = await site().enter()
      await visit.open('/alerts')
      // Told by an event, within a minute of the start.
      await visit.by('silence').first().click()
      expect(await visit.by('dialog-ok').isDisabled()).toBe(true)
      await visit.by('silence-reason').fill('being mended')
      await visit.by('dialog-ok').click()
      await visit.by('silent').getByText('being mended').waitFor()
      // As the filter writes it: a word, not a value of JSON.
      await visit.open('/alerts?silenced=%22false%22')
      await visit.settled()
      expect(await visit.by('silent').count()).toBe(0)
      await visit.open('/alerts')
      await visit.by('unsilence').first().click()
      await visit.by('silence').first().waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('a channel is added, tested, and told by a rule; one that is away says so', async () => {
      const bodies: string[] = []
      const receiver = createServer((request, answer) => {
        request.on('data', (bytes: Buffer) => bodies.push(bytes.toString()))
        request.on('end', () => answer.end('ok'))
      })
      await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
      const { port } = receiver.address() as AddressInfo
      try {
        await using visit = await site().enter()
        await addChannel(visit, 'hook', `http://127.0.0.1:${port}/`)
        await visit.by('test-hook').click()
        await visit.by('tested-hook').getByText('Delivered.').waitFor()
        expect(bodies.length).toBeGreaterThan(0)
        await visit.page.getByRole('tab', { name: 'Rules' }).click()
        await visit.by('add').click()
        await visit.by('rule-name').fill('everything')
        await visit.by('rule-channels').click()
        await visit.page.getByTitle('hook').last().click()
        await visit.by('rule-name').click()
        await visit.by('dialog-ok').click()
        await visit.by('change-everything').waitFor()
        receiver.closeAllConnections()
        await new Promise((resolve) => receiver.close(resolve))
        await visit.page.getByRole('tab', { name: 'Channels' }).click()
        await visit.by('test-hook').click()
        await visit.by('tested-hook').getByText('Not delivered').waitFor()
        expect(visit.complaints).toEqual([])
      } finally {
        receiver.close()
      }
    })
  })

  describe('audit', () => {
    test('verifies the chain, and opens an entry with what it changed', async () => {
      await using visit = await site().enter()
      await visit.open('/audit?action=createSource')
      await visit.by('list-audit').locator('a').first().click()
      await visit.by('audit-entry').waitFor()
      expect(await visit.by('changes').textContent()).toContain('hostId')
      expect(new URL(visit.page.url()).searchParams.get('entry')).not.toBeNull()
      await visit.page.keyboard.press('Escape')
      await visit.by('verify-chain').click()
      await visit.page.locator('[data-testid=verdict][data-state=ok]').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('filters that match nothing say so', async () => {
      await using visit = await site().enter()
      await visit.open('/audit?actor=nobody-at-all')
      await visit.by('empty').waitFor()
    })
  })

  describe('people', () => {
    test('adds a person, whose password is shown once, and refuses the same name', async () => {
      await using visit = await site().enter()
      await visit.open('/users')
      await visit.by('add-user').click()
      await visit.by('user-name').fill('li.wei')
      await visit.by('dialog-ok').click()
      await visit.by('secret').waitFor()
      await visit.by('secret-kept').click()
      await visit.by('secret-done').click()
      await visit.by('change-user').waitFor()
      await visit.open('/users')
      await visit.by('add-user').click()
      await visit.by('user-name').fill('li.wei')
      await visit.by('dialog-ok').click()
      await visit.by('problem').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('shows a token once, lists it, and revokes it', async () => {
      await using visit = await site().enter()
      await visit.open('/account')
      await visit.by('add-token').click()
      await visit.by('token-name').fill('ci')
      await visit.by('dialog-ok').click()
      expect(await visit.by('secret').textContent()).toMatch(/^msk_/)
      await visit.by('secret-kept').click()
      await visit.by('secret-done').click()
      await visit.by('revoke-ci').click()
      await visit.by('confirm').click()
      await visit.by('my-tokens').getByText('Revoked').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('an officer refuses what an administrator asks for, who cannot decide it', async () => {
      const { api } = site().server
      const { items } = await api.call('listPools')
      await api.call('requestApproval', {
        body: { action: 'removePool', object: items[0]!.id, reason: 'it is old' },
      })
      await using administrator = await site().enter()
      await administrator.open('/approvals')
      await administrator.page.getByText('it is old').waitFor()
      // Who may act may not also consent.
      expect(await administrator.by('approve').count()).toBe(0)
      await using visit = await enterAs(site(), 'security-officer')
      await visit.open('/approvals')
      await visit.by('refuse').click()
      await visit.by('dialog-ok').click()
      await visit.page.locator('[data-state=refused]').waitFor()
      expect(visit.complaints).toEqual([])
    })
  })

  describe('login', () => {
    test('the first password has to be changed, and the second leads in', async () => {
      await addPerson(site(), 'newcomer', 'auditor')
      await using visit = await site().visit()
      await visit.open('/jobs')
      await visit.by('name').fill('newcomer')
      await visit.by('password').fill(FIRST_PASSWORD)
      await visit.by('submit').click()
      await visit.by('new-password').fill(PASSWORD)
      await visit.by('new-password-again').fill('another-password-of-somebody')
      await visit.page.getByText('The two are not the same.').waitFor()
      await visit.by('new-password-again').fill(PASSWORD)
      await visit.by('submit').click()
      await visit.by('list-jobs').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('a second factor is set up by a picture, and asked for at the next login', async () => {
      await using visit = await enterAs(site(), 'restore-operator')
      await visit.open('/account')
      await visit.by('totp-begin').click()
      await visit.by('totp-qr').locator('svg').waitFor()
      const key = (await visit.by('totp-key').textContent())!
      await visit.by('totp-code').fill('000000')
      await visit.by('totp-confirm').click()
      await visit.page.locator('[data-code=LOGIN_FAILED]').waitFor()
      await visit.by('totp-code').fill(totpCode(key, Date.now()))
      await visit.by('totp-confirm').click()
      const codes = (await visit.by('secret').textContent())!.trim().split(/\s+/)
      expect(codes.length).toBeGreaterThan(1)
      await visit.by('secret-kept').click()
      await visit.by('secret-done').click()
      await visit.by('totp-remove').waitFor()
      await using again = await site().visit()
      await again.open('/jobs')
      await again.by('name').fill('a-restore-operator')
      await again.by('password').fill(PASSWORD)
      await again.by('submit').click()
      // A code counts once, and this one is of now: that of the next half minute is taken too.
      await again.by('code').fill(totpCode(key, Date.now() + TOTP_PERIOD_MS))
      await again.by('submit').click()
      await again.by('list-jobs').waitFor()
      expect([...visit.complaints, ...again.complaints]).toEqual([])
    })
  })

  describe('settings', () => {
    test('say where a value comes from, and keep what is saved', async () => {
      await using visit = await site().enter()
      await visit.open('/settings')
      const row = visit.by('setting-sessionIdleMinutes')
      await row.locator('[data-origin=default]').waitFor()
      await visit.by('session-idle').fill('45')
      await visit.by('save-settings').click()
      await row.locator('[data-origin=changed]').waitFor()
      await visit.by('public-url').fill('no address')
      await visit.by('save-settings').click()
      await visit.by('problem').waitFor()
      expect(visit.complaints).toEqual([])
    })
  })

  describe('roles', () => {
    test('an auditor reads records and settings, and has no button that would be refused', async () => {
      await using visit = await enterAs(site(), 'auditor')
      await visit.open('/pools')
      await visit.by('list-pools').waitFor()
      expect(await visit.by('create-pool').count()).toBe(0)
      await visit.open('/users')
      expect(await visit.by('add-user').count()).toBe(0)
      await visit.open('/settings')
      expect(await visit.by('save-settings').count()).toBe(0)
      await visit.open('/notifications')
      expect(await visit.by('add').count()).toBe(0)
      await visit.open('/audit')
      await visit.by('verify-chain').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('an operator is told that the users are not theirs to see', async () => {
      await using visit = await enterAs(site(), 'operator')
      await visit.page.goto('/users')
      await visit.by('forbidden').waitFor()
      expect(await visit.page.locator('nav a[href="/users"]').count()).toBe(0)
      await visit.open('/pools')
      await visit.by('create-pool').waitFor()
      expect(visit.complaints).toEqual([])
    })

    test('a data consumer sees no pool, no audit and no alert', async () => {
      await using visit = await enterAs(site(), 'data-consumer')
      await visit.open('/')
      for (const path of ['/pools', '/audit', '/alerts', '/settings']) {
        expect(await visit.page.locator(`a[href="${path}"]`).count(), path).toBe(0)
      }
      await visit.page.goto('/pools')
      await visit.by('forbidden').waitFor()
      expect(visit.complaints).toEqual([])
    })
  })

  test.each(LOOKS)('$language $theme $size: the administrative screens fit', async (look) => {
    await using visit = await site().enter(look)
    const { items } = await site().server.api.call('listPools')
    const screens = [
      ['pools', '/pools'],
      ['pool', `/pools/${items[0]!.id}`],
      ['alerts', '/alerts?state=all'],
      ['audit', '/audit'],
      ['users', '/users'],
      ['account', '/account'],
      ['roles', '/users?tab=roles'],
      ['settings', '/settings'],
      ['notifications', '/notifications'],
      ['approvals', '/approvals'],
    ] as const
    const wrong: string[] = []
    // The smaller ones are made of the same parts: wide only.
    const shown = look.size === 'wide' ? screens : screens.slice(0, MAIN_SCREENS)
    for (const [name, path] of shown) wrong.push(...(await visit.look(name, path, look)))
    expect(wrong).toEqual([])
    expect(visit.complaints).toEqual([])
  })
}

async function addChannel(visit: Visit, name: string, url: string): Promise<void> {
  await visit.open('/notifications')
  await visit.by('add').click()
  await visit.by('channel-name').fill(name)
  await visit.by('channel-url').fill(url)
  await visit.by('dialog-ok').click()
  await visit.by(`test-${name}`).waitFor()
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const TOTP_PERIOD_MS = 30_000

/** RFC 6238 as an authenticator does it: six digits, SHA-1. */
function totpCode(key: string, atMs: number): string {
  const bits = Array.from(key, (letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0'))
  const bytes = bits
    .join('')
    .match(/.{8}/g)!
    .map((byte) => Number.parseInt(byte, 2))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(atMs / TOTP_PERIOD_MS)))
  const digest = createHmac('sha1', Buffer.from(bytes)).update(counter).digest()
  const code = digest.readUInt32BE(digest[19]! & 15) & 0x7fffffff
  return String(code % 1_000_000).padStart(6, '0')
}
