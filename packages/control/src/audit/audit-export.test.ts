import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { missing } from '@openmaas/testkit/requires'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { csvLine, exportAudit } from './audit-export.ts'
import type { AuditFormat } from './audit-export.ts'
import { appendAudit } from './audit-log.ts'
import { loadAuditPage, readAudit } from './audit-repository.ts'
import type { AuditFilter } from './audit-repository.ts'
import type { AuditEntry } from './audit-row.ts'
import { auditHandlers } from './handlers.ts'

const ENTRY: AuditEntry = {
  actor: 'user:usr_1',
  address: '192.0.2.1',
  action: 'deletePoint',
  object: 'pnt_1',
  outcome: 'ok',
  requestId: 'req-1',
}

async function fill(catalog: Catalog, clock: FakeClock, count: number): Promise<void> {
  await catalog.transaction(async (trx) => {
    for (let i = 1; i <= count; i += 1) {
      clock.advance(1000)
      const entry = {
        ...ENTRY,
        actor: `user:usr_${i % 3}`,
        object: `pnt_${i}`,
        labels: { env: i % 2 === 0 ? 'prod' : 'test' },
        ...(i === 2 ? { reason: '=HYPERLINK("http://evil")', after: { 名称: 'a, "b"\n' } } : {}),
      }
      await appendAudit(trx, entry, clock)
    }
  })
}

async function textOf(catalog: Catalog, format: AuditFormat): Promise<string> {
  const parts: string[] = []
  for await (const part of exportAudit(readAudit(catalog, {}), format)) parts.push(part)
  return parts.join('')
}

describeBothCatalogs('reading the audit log', (make) => {
  test('filters by actor, object, outcome, time and scope, in pages either way', async () => {
    const clock = new FakeClock()
    const first = clock.wallMs()
    const catalog = await make(clock)
    await fill(catalog, clock, 10)
    const seqs = async (filter: AuditFilter, descending = false) => {
      const all: number[] = []
      let cursor: string | undefined
      do {
        const page = await loadAuditPage(catalog, filter, { descending, limit: 2, cursor })
        all.push(...page.rows.map((row) => row.seq))
        cursor = page.next ?? undefined
      } while (cursor !== undefined)
      return all
    }
    expect(await seqs({}, true)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    expect(await seqs({ actor: 'user:usr_1' })).toEqual([1, 4, 7, 10])
    expect(await seqs({ object: 'pnt_5' })).toEqual([5])
    expect(await seqs({ outcome: 'refused' })).toEqual([])
    expect(await seqs({ from: first + 3000, until: first + 5000 })).toEqual([3, 4])
    expect(await seqs({ scope: { env: 'prod' } })).toEqual([2, 4, 6, 8, 10])
    expect(await seqs({ scope: { env: [] } })).toEqual([])
  })

  test('all of it comes in order, however many batches it takes', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 501)
    const seqs: number[] = []
    for await (const row of readAudit(catalog, {})) seqs.push(row.seq)
    expect(seqs).toEqual(Array.from({ length: 501 }, (_, i) => i + 1))
  })

  test('a line of JSON can be verified by anybody: without its hash it is what was hashed', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 3)
    const lines = (await textOf(catalog, 'json')).trimEnd().split('\n')
    let previousHash = '0'.repeat(64)
    for (const line of lines) {
      const { hash, ...content } = JSON.parse(line) as Record<string, unknown>
      const sorted = Object.fromEntries(
        Object.entries(content).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      )
      const text = JSON.stringify(sorted)
      expect(createHash('sha256').update(text).digest('hex')).toBe(hash)
      expect(content['previousHash']).toBe(previousHash)
      previousHash = String(hash)
    }
  })

  test('CSV runs nothing in a spreadsheet', async () => {
    const clock = new FakeClock()
    const catalog = await make(clock)
    await fill(catalog, clock, 2)
    const [head, , second] = (await textOf(catalog, 'csv')).split('\r\n')
    expect(head).toMatch(/^seq,at,actor,/)
    expect(second).toContain(`,"'=HYPERLINK(""http://evil"")",`)
  })
})

test('CSV reads back cell by cell', () => {
  const cell = fc.string({ unit: 'grapheme', maxLength: 20 })
  fc.assert(
    fc.property(fc.array(cell, { minLength: 1, maxLength: 5 }), (cells) => {
      const line = csvLine(cells)
      expect(parseCsvLine(line)).toEqual(
        cells.map((one) => (/^[=+\-@\t\r\n＝＋－＠]/.test(one) ? `'${one}` : one)),
      )
    }),
  )
})

/** A slow reader of one record of RFC 4180. */
function parseCsvLine(line: string): string[] {
  const cells: string[] = []
  let rest = line.slice(0, -2)
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^,"\r\n]*))(,|$)/.exec(rest)!
    cells.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'))
    if (match[3] === '') return cells
    rest = rest.slice(match[0].length)
  }
}

const python = missing({ programs: ['python3'] }).length === 0
test.runIf(python)('Python reads the CSV as it was meant', () => {
  const cells = ['=1+1', 'a,b', 'say "x"', 'line\nbreak', '中文', '', "it's"]
  const script = 'import csv,json,sys;print(json.dumps(next(csv.reader(open(0,newline="")))))'
  const read = execFileSync('python3', ['-c', script], { input: csvLine(cells), encoding: 'utf8' })
  expect(JSON.parse(read)).toEqual(["'=1+1", ...cells.slice(1)])
})

const open: TestServer[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
})

test('the API lists, verifies and exports, and each export is itself on record', async () => {
  const server = await makeTestServer(({ catalog, clock }) =>
    auditHandlers({ catalog, clock, anchors: () => [] }),
  )
  open.push(server)
  const { catalog, clock, callers } = server
  callers.set('aud', { actor: 'user:usr_aud', roles: ['auditor'], scope: null })
  callers.set('scoped', { actor: 'user:usr_s', roles: ['auditor'], scope: { env: 'prod' } })
  await fill(catalog, clock, 4)
  const ask = (method: 'GET' | 'POST', path: string, as = 'aud') =>
    server.server.app.inject({ method, url: `/api/v1${path}`, headers: { 'x-test-as': as } })
  const listed = await ask('GET', '/audit?limit=2')
  const page = listed.json<{ items: { seq: number; after: unknown }[]; next: string }>()
  expect(page.items.map((item) => item.seq)).toEqual([4, 3])
  const rest = await ask('GET', `/audit?limit=2&cursor=${page.next}`)
  const { items } = rest.json<typeof page>()
  expect(items.map((item) => [item.seq, item.after])).toEqual([
    [2, { 名称: 'a, "b"\n' }],
    [1, null],
  ])
  const seen = (await ask('GET', '/audit', 'scoped')).json<typeof page>()
  expect(seen.items.map((item) => item.seq)).toEqual([4, 2])
  expect((await ask('POST', '/audit/verify', 'scoped')).statusCode).toBe(403)
  expect((await ask('POST', '/audit/verify')).json()).toMatchObject({ intact: true, checked: 4 })
  const csv = await ask('GET', '/audit/export?format=csv')
  expect(csv.headers['content-type']).toMatch(/^text\/csv/)
  expect(csv.body.split('\r\n')).toHaveLength(1 + 6 + 1)
  const syslog = await ask('GET', '/audit/export?format=syslog')
  expect(syslog.body.split('\n')[0]).toMatch(/^<110>1 2026-01-01T00:00:01\.000Z /)
  await catalog.db.updateTable('audit').set({ actor: 'x' }).where('seq', '=', 2).execute()
  const broken = (await ask('POST', '/audit/verify')).json<{ brokenAt: number; problem: string }>()
  expect([broken.brokenAt, broken.problem]).toEqual([2, 'changed'])
})
