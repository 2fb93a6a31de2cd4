/**
 * Tests that hold on both dialects. PostgreSQL is started once per test file, in a temporary
 * directory, on a unix socket, as user postgres; every catalog is a database of its own.
 */
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import type { Clock } from '@openmaas/kernel/clock'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from './catalog.ts'
import type { Catalog } from './catalog.ts'
import {
  postgresMissing,
  PostgresServer,
  START_TIMEOUT_MS,
} from './postgres-server.test-support.ts'

/** An empty catalog, closed when the test ends. */
export type MakeCatalog = (clock?: Clock) => Promise<Catalog>

function describeDialect(
  title: string,
  makeUrl: () => Promise<string>,
  body: (make: MakeCatalog) => void,
): void {
  describe(title, () => {
    const open: Catalog[] = []
    afterEach(async () => {
      for (const catalog of open.splice(0)) await catalog[Symbol.asyncDispose]()
    })
    body(async (clock = new FakeClock()) => {
      const catalog = await openCatalog({ url: await makeUrl(), clock })
      open.push(catalog)
      return catalog
    })
  })
}

/** Declares tests for PostgreSQL alone: of what SQLite cannot do. */
export function describePostgres(title: string, body: (make: MakeCatalog) => void): void {
  if (postgresMissing()) reportMissing()
  else describeServer(title, body)
}

function describeServer(title: string, body: (make: MakeCatalog) => void): void {
  describe(`${title} (PostgreSQL)`, () => {
    const server = new PostgresServer()
    let template = ''
    beforeAll(async () => {
      await server.start()
      // The tables are made once; each test begins as a copy of them.
      const url = await server.makeDatabase()
      await using _ = await openCatalog({ url, clock: new FakeClock() })
      template = new URL(url).pathname.slice(1)
    }, START_TIMEOUT_MS)
    afterAll(() => server.stop())
    describeDialect('on a database of its own', () => server.makeDatabase(template), body)
  })
}

function reportMissing(): void {
  test.skip('skipped: PostgreSQL missing', () => {})
}

/** Declares the same tests for SQLite and for PostgreSQL. */
export function describeBothCatalogs(title: string, body: (make: MakeCatalog) => void): void {
  describeDialect(`${title} (SQLite)`, () => Promise.resolve('sqlite::memory:'), body)
  describePostgres(title, body)
}
