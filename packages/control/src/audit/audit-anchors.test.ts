import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { AuditAnchors } from './audit-anchors.ts'
import { appendAudit } from './audit-log.ts'
import type { AuditEntry } from './audit-row.ts'
import { verifyAudit } from './audit-verify.ts'
import { RefusalRecorder } from './refusals.ts'

const ENTRY: AuditEntry = {
  actor: 'user:usr_1',
  address: '192.0.2.1',
  action: 'deletePoint',
  object: 'pnt_1',
  outcome: 'ok',
  requestId: 'req-1',
}

const add = (catalog: Catalog, clock: FakeClock) =>
  catalog.transaction((trx) => appendAudit(trx, ENTRY, clock))

describeBothCatalogs('anchors', (make) => {
  test('are written when there are new rows, to the file and to the events', async () => {
    using site = new TemporaryDirectory()
    const clock = new FakeClock()
    const catalog = await make(clock)
    const path = site.join('audit.anchors')
    const anchors = new AuditAnchors(catalog, clock, path)
    await anchors.tick()
    expect(anchors.read()).toEqual([])
    await add(catalog, clock)
    await anchors.tick()
    await anchors.tick()
    const row = await add(catalog, clock)
    await anchors.stop()
    expect(anchors.read().map((anchor) => anchor.seq)).toEqual([1, 2])
    expect(anchors.read()[1]!.hash).toBe(row.hash)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const events = await catalog.db.selectFrom('event').selectAll().execute()
    expect(events.map((event) => event.type)).toEqual(['audit.anchored', 'audit.anchored'])
  })

  test('are read again after a restart, but for a line that a crash cut off', async () => {
    using site = new TemporaryDirectory()
    const clock = new FakeClock()
    const catalog = await make(clock)
    const path = site.join('audit.anchors')
    await add(catalog, clock)
    await new AuditAnchors(catalog, clock, path).tick()
    appendFileSync(path, '{"seq":2,"ha')
    const again = new AuditAnchors(catalog, clock, path)
    await again.tick()
    expect(again.read().map((anchor) => anchor.seq)).toEqual([1])
    await add(catalog, clock)
    await again.tick()
    expect(again.read().map((anchor) => anchor.seq)).toEqual([1, 2])
    await catalog.db.deleteFrom('audit').execute()
    await catalog.db.deleteFrom('meta').where('key', '=', 'audit.head').execute()
    expect(await verifyAudit(catalog.db, again.read())).toMatchObject({
      intact: false,
      brokenAt: 1,
      problem: 'truncated',
    })
    expect(readFileSync(path, 'utf8')).toContain('{"seq":2,"ha\n')
  })

  test('a clock that is set while the server runs is told', async () => {
    using site = new TemporaryDirectory()
    const clock = new FakeClock()
    const catalog = await make(clock)
    const anchors = new AuditAnchors(catalog, clock, site.join('audit.anchors'))
    await anchors.tick()
    clock.advance(60_000)
    await anchors.tick()
    clock.advance(60_000)
    clock.jump(clock.wallMs() + 3_600_000)
    await anchors.tick()
    const rows = await catalog.db.selectFrom('audit').selectAll().execute()
    expect(rows.map((row) => [row.action, row.afterJson])).toEqual([
      ['clock.jump', '{"jumpMs":3600000}'],
    ])
  })

  test('refusals are written in batches; of a flood, a hundred and the count of the rest', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    const recorder = new RefusalRecorder(catalog, clock)
    for (let i = 0; i < 250; i += 1) {
      const { actor, address, requestId } = ENTRY
      const code = 'PERMISSION_DENIED'
      recorder.record({
        actor,
        address,
        requestId,
        action: 'listUsers',
        path: '/api/v1/users',
        code,
      })
    }
    await recorder.flush()
    await recorder.flush()
    const rows = await catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    expect(rows).toHaveLength(101)
    expect(rows[0]).toMatchObject({ outcome: 'refused', object: '/api/v1/users' })
    expect(rows[100]).toMatchObject({ action: 'refusals.more', afterJson: '{"count":150}' })
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true })
  })
})
