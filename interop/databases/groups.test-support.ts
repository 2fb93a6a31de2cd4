/**
 * An application with its data in two databases: it commits a number to A and then to B, one
 * after the other, and writes down when it asked and when it was answered.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { withConnection } from '@openmaas/source-postgres/connection'
import { Session } from '@openmaas/source-mysql/session'
import type { ProductionServer } from '../mysql/server.test-support.ts'
import type { Production } from '../postgres/production.test-support.ts'

/** Some hundred numbers a second are enough to tell moments apart, and leave the machine its work. */
const PAUSE_MS = 5

export interface Written {
  readonly number: number
  /** Of A and of B: when it was asked, and when it was answered. Milliseconds since 1970. */
  readonly a: readonly [number, number]
  readonly b: readonly [number, number]
}

/** Numbers from 1 on. What is in A and not in B is the one that it is at. */
export class Writer {
  readonly log: Written[] = []
  readonly #ended: Promise<void>
  #stopping = false

  constructor(postgres: Production, mariadb: ProductionServer) {
    this.#ended = this.#write(postgres, mariadb)
    // Whoever stops it is told.
    this.#ended.catch(() => undefined)
  }

  async #write(postgres: Production, mariadb: ProductionServer): Promise<void> {
    await using b = await mariadb.session()
    await postgres.query(async (a) => {
      for (let number = 1; !this.#stopping; number += 1) {
        const askedA = Date.now()
        await a.rows(`insert into numbers (number) values (${number})`)
        const [toldA, askedB] = [Date.now(), Date.now()]
        await b.run(`INSERT INTO app.numbers VALUES (${number})`)
        this.log.push({ number, a: [askedA, toldA], b: [askedB, Date.now()] })
        await delay(PAUSE_MS)
      }
    })
  }

  /** @throws what ended it before */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#ended
  }

  /** What must be in, and what must not be, of everything that was committed before the moment. */
  expected(side: 'a' | 'b', atMs: number): { readonly least: number; readonly most: number } {
    const sure = this.log.filter((each) => each[side][1] < atMs)
    const possible = this.log.filter((each) => each[side][0] <= atMs)
    return { least: sure.at(-1)?.number ?? 0, most: possible.at(-1)?.number ?? 0 }
  }
}

/** The numbers 1 to n are there: n. @throws Error when one is missing */
export async function countNumbers(connection: ConnectionRevealed): Promise<number> {
  const { engine, host, port, user, password } = connection
  const place = { host, port, user, password, tls: 'off', ca: null } as const
  const rows =
    engine === 'postgres'
      ? await withConnection(place, (queries) =>
          queries.rows('select count(*)::int as n, coalesce(max(number), 0) as top from numbers'),
        )
      : await mariadbRows(place)
  const { n, top } = rows[0] as { n: unknown; top: unknown }
  if (Number(n) !== Number(top)) throw new Error(`${String(n)} numbers up to ${String(top)}`)
  return Number(n)
}

async function mariadbRows(place: Parameters<typeof Session.toProduction>[0]) {
  await using session = await Session.toProduction(place)
  return session.rows('SELECT COUNT(*) AS n, COALESCE(MAX(number), 0) AS top FROM app.numbers')
}
