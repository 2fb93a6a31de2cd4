import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { appendAudit, loadAuditHead } from './audit-log.ts'
import { canonicalAudit, GENESIS_HASH, makeAuditRow } from './audit-row.ts'
import type { AuditEntry } from './audit-row.ts'
import { verifyAudit } from './audit-verify.ts'

const ENTRY: AuditEntry = {
  actor: 'user:usr_1',
  address: '192.0.2.1',
  action: 'createSource',
  object: 'src_1',
  labels: { env: 'prod' },
  outcome: 'ok',
  requestId: 'req-1',
  after: { name: 'shop' },
}
const PLACE = { seq: 1, at: 1_767_225_600_000, previousHash: GENESIS_HASH }

async function fill(catalog: Catalog, clock: FakeClock, count: number): Promise<void> {
  await catalog.transaction(async (trx) => {
    for (let i = 1; i <= count; i += 1) {
      clock.advance(1000)
      await appendAudit(trx, { ...ENTRY, object: `src_${i}` }, clock)
    }
  })
}

test('the canonical text of a row is pinned, and its hash is that of the text', () => {
  const row = makeAuditRow(ENTRY, PLACE)
  const { hash, ...content } = row
  const text =
    '{"action":"createSource","actor":"user:usr_1","address":"192.0.2.1",' +
    '"after":"{\\"name\\":\\"shop\\"}","at":1767225600000,"before":null,' +
    '"labels":"{\\"env\\":\\"prod\\"}","object":"src_1","outcome":"ok",' +
    `"previousHash":"${'0'.repeat(64)}","reason":null,"requestId":"req-1","seq":1}`
  expect(canonicalAudit(content)).toBe(text)
  expect(hash).toBe(createHash('sha256').update(text, 'utf8').digest('hex'))
  expect(hash).toBe('7d07c4daf87f97739fface15d0735b4bc9d04c95165a855115727b4462a284dc')
})

test('secrets in a state are left out, however deep; what only names or dates them stays', () => {
  const after = {
    password: 'hunter2-hunter2',
    totpSecret: 'x',
    nested: [{ clientSecret: 's', privateKey: [1, 2], passwordHash: '$argon2id$' }],
    mustChangePassword: true,
    tokenId: 'tok_1',
    secret: null,
  }
  expect(JSON.parse(makeAuditRow({ ...ENTRY, after }, PLACE).afterJson!)).toEqual({
    password: '(secret)',
    totpSecret: '(secret)',
    nested: [{ clientSecret: '(secret)', privateKey: '(secret)', passwordHash: '(secret)' }],
    mustChangePassword: true,
    tokenId: 'tok_1',
    secret: null,
  })
})

test('a state too large to keep is there by its size and hash', () => {
  const row = makeAuditRow({ ...ENTRY, before: { text: 'x'.repeat(70_000) } }, PLACE)
  expect(JSON.parse(row.beforeJson!)).toEqual({
    tooLarge: 70_011,
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  })
})

describeBothCatalogs('the audit log', (make) => {
  test('chains every row to the one before it, and verifies', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true, checked: 0 })
    await fill(catalog, clock, 3)
    const rows = await catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    expect(rows.map((row) => row.seq)).toEqual([1, 2, 3])
    expect(rows.map((row) => row.previousHash)).toEqual([
      GENESIS_HASH,
      rows[0]!.hash,
      rows[1]!.hash,
    ])
    const verified = await verifyAudit(catalog.db, [])
    expect(verified).toEqual({
      intact: true,
      checked: 3,
      head: { seq: 3, hash: rows[2]!.hash },
      brokenAt: null,
      problem: null,
      since: rows[0]!.at,
    })
  })

  test('is as atomic as the change: a transaction that fails leaves no row', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 1)
    const failing = catalog.transaction(async (trx) => {
      await appendAudit(trx, ENTRY, clock)
      throw new Error('the change failed')
    })
    await expect(failing).rejects.toThrow('the change failed')
    await fill(catalog, clock, 1)
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true, checked: 2 })
  })

  test('twenty writers at once make one chain', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await Promise.all(Array.from({ length: 20 }, () => fill(catalog, clock, 2)))
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true, checked: 40 })
  })

  test('texts that databases store otherwise read back as they were hashed', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    const reason = 'NUL \0, lone \ud800 surrogate, 中文, \u2028 and "quotes"'
    await catalog.transaction((trx) =>
      appendAudit(trx, { ...ENTRY, reason, after: { path: '/a\0\ud800' } }, clock),
    )
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true, checked: 1 })
  })

  test.each([
    ['changed in one column', { reason: 'nothing to see' }, 4, 'changed'],
    ['given another time', { at: 5 }, 4, 'changed'],
    ['given another outcome', { outcome: 'refused' as const }, 4, 'changed'],
    ['given another hash', { hash: 'f'.repeat(64) }, 4, 'changed'],
  ])('a row that was %s is found', async (_title, change, brokenAt, problem) => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 6)
    await catalog.db.updateTable('audit').set(change).where('seq', '=', 4).execute()
    const verified = await verifyAudit(catalog.db, [])
    expect(verified).toMatchObject({ intact: false, checked: 3, brokenAt, problem })
  })

  test('a row that was removed is found, also when the rest is renumbered', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 6)
    await catalog.db.deleteFrom('audit').where('seq', '=', 3).execute()
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ brokenAt: 3, problem: 'missing' })
    for (const seq of [4, 5, 6]) {
      const place = { seq: seq - 1 }
      await catalog.db.updateTable('audit').set(place).where('seq', '=', seq).execute()
    }
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ brokenAt: 3, problem: 'changed' })
  })

  test('two rows that changed places are found', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 4)
    for (const [from, to] of [
      [2, 99],
      [3, 2],
      [99, 3],
    ] as const) {
      await catalog.db.updateTable('audit').set({ seq: to }).where('seq', '=', from).execute()
    }
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ brokenAt: 2, problem: 'changed' })
  })

  test('a row that was inserted, sound in itself, is found', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 2)
    const rows = await catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    const forged = makeAuditRow(ENTRY, { seq: 2, at: rows[1]!.at, previousHash: rows[0]!.hash })
    await catalog.db.updateTable('audit').set({ seq: 3 }).where('seq', '=', 2).execute()
    await catalog.db.insertInto('audit').values(forged).execute()
    // Row 2 continues row 1, but the head that was left is another's.
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: false, brokenAt: 2 })
    const beyond = makeAuditRow(ENTRY, { seq: 4, at: 1, previousHash: rows[1]!.hash })
    const sound = await make(clock)
    await fill(sound, clock, 3)
    await sound.db.insertInto('audit').values(beyond).execute()
    const verified = await verifyAudit(sound.db, [])
    expect(verified).toMatchObject({ intact: false, brokenAt: 4, problem: 'foreign' })
  })

  test('a row that was written anew, sound in itself, is found by the next one', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 4)
    const rows = await catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    const place = { seq: 2, at: rows[1]!.at, previousHash: rows[0]!.hash }
    const forged = makeAuditRow({ ...ENTRY, actor: 'user:usr_innocent' }, place)
    await catalog.db.updateTable('audit').set(forged).where('seq', '=', 2).execute()
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ brokenAt: 3, problem: 'foreign' })
  })

  test('rows removed at the end are found by the head, and with the head by an anchor', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 5)
    const anchor = (await loadAuditHead(catalog.db))!
    await catalog.db.deleteFrom('audit').where('seq', '>', 3).execute()
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ brokenAt: 4, problem: 'truncated' })
    const row = await catalog.db
      .selectFrom('audit')
      .selectAll()
      .where('seq', '=', 3)
      .executeTakeFirstOrThrow()
    const value = JSON.stringify({ seq: row.seq, hash: row.hash, at: row.at })
    await catalog.db.updateTable('meta').set({ value }).where('key', '=', 'audit.head').execute()
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true })
    const verified = await verifyAudit(catalog.db, [anchor])
    expect(verified).toMatchObject({ brokenAt: 4, problem: 'truncated' })
  })

  test('a chain that was computed anew to its end is found by an anchor', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 5)
    const anchor = (await loadAuditHead(catalog.db))!
    const rows = await catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    let previousHash = rows[1]!.hash
    for (const { seq, at } of rows.slice(2)) {
      const forged = makeAuditRow(
        { ...ENTRY, actor: 'user:usr_innocent' },
        { seq, at, previousHash },
      )
      await catalog.db.updateTable('audit').set(forged).where('seq', '=', seq).execute()
      previousHash = forged.hash
    }
    const value = JSON.stringify({ ...anchor, hash: previousHash })
    await catalog.db.updateTable('meta').set({ value }).where('key', '=', 'audit.head').execute()
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true })
    const verified = await verifyAudit(catalog.db, [anchor])
    expect(verified).toMatchObject({ brokenAt: 5, problem: 'anchor' })
  })

  test('a clock that goes back is told by a row of its own', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 1)
    clock.jump(clock.wallMs() - 1500)
    await catalog.transaction((trx) => appendAudit(trx, ENTRY, clock))
    clock.jump(clock.wallMs() - 3_600_000)
    await catalog.transaction((trx) => appendAudit(trx, ENTRY, clock))
    const rows = await catalog.db.selectFrom('audit').select('action').orderBy('seq').execute()
    expect(rows.map((row) => row.action)).toEqual([
      'createSource',
      'createSource',
      'clock.back',
      'createSource',
    ])
    expect(await verifyAudit(catalog.db, [])).toMatchObject({ intact: true, checked: 4 })
  })
})
