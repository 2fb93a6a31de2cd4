/** A load on production: writers that commit as fast as they can, and know what they committed. */
import { withConnection } from '@openmaas/source-postgres/connection'
import type { Production } from './production.test-support.ts'

export interface Written {
  readonly row: number
  readonly xid: string
}

export class Load {
  readonly #production: Production
  readonly #written: Written[] = []
  readonly #writers: Promise<void>[] = []
  #next: number
  #stopped = false

  /** @param first  the number of the first row */
  constructor(production: Production, writers: number, first = 0) {
    this.#production = production
    this.#next = first
    for (let index = 0; index < writers; index += 1) this.#writers.push(this.#write())
  }

  /** Acknowledged commits so far. */
  get count(): number {
    return this.#written.length
  }

  /** A writer whose connection breaks has ended; what was not acknowledged is not counted. */
  async #write(): Promise<void> {
    const sql = 'insert into load (row) values ($1) returning pg_current_xact_id()::text'
    await withConnection(this.#production.owner, async (queries) => {
      while (!this.#stopped) {
        const row = this.#next
        this.#next += 1
        const xid = String(await queries.value(sql, [row]))
        this.#written.push({ row, xid })
      }
    }).catch((error: unknown) => {
      if (!this.#stopped) this.#broken = error
    })
  }
  #broken: unknown

  /** What broke a writer: nothing, unless production was killed. */
  get broken(): unknown {
    return this.#broken
  }

  async stop(): Promise<readonly Written[]> {
    this.#stopped = true
    await Promise.all(this.#writers)
    return this.#written
  }
}
