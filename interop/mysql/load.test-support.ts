/** A load on production that writes down each of its commits: what a recovery must equal. */
import type { Session } from '@openmaas/source-mysql/session'
import { numberOf } from '@openmaas/source-mysql/session'
import type { Product } from '@openmaas/source-mysql/version'
import type { ProductionServer } from './server.test-support.ts'

/** Each inserts one row in a transaction of its own; its number is the row. */
export interface LoggedCommit {
  readonly row: number
  readonly gtid: string
  /** Of its server, which gives one number after the other in the order of commits. */
  readonly sequence: number
  /** By production's clock: the commit was in between. */
  readonly beginMs: number
  readonly endMs: number
}

const NOW = 'UNIX_TIMESTAMP(SYSDATE(6)) * 1000'

export class Load {
  readonly commits: LoggedCommit[] = []
  readonly #product: Product
  readonly #production: ProductionServer
  #running: Promise<void>[] = []
  #stopped = false
  #next = 0

  constructor(product: Product, production: ProductionServer) {
    this.#product = product
    this.#production = production
  }

  begin(): void {
    // MySQL tells the GTID of a commit by the set of all: then nobody else may commit meanwhile.
    const writers = this.#product === 'mysql' ? 1 : 2
    this.#running = Array.from({ length: writers }, () => this.#write())
  }

  /** Acknowledged commits, also when production died under the load. */
  async end(): Promise<readonly LoggedCommit[]> {
    this.#stopped = true
    await Promise.all(this.#running)
    return this.commits.toSorted((a, b) => a.sequence - b.sequence)
  }

  async #write(): Promise<void> {
    await using session = await this.#production.session()
    while (!this.#stopped) {
      const row = this.#next
      this.#next += 1
      try {
        this.commits.push(await this.#commit(session, row))
      } catch (error) {
        // Production was killed: what it did not acknowledge it need not have.
        if ((error as { code?: string }).code === 'DATABASE_UNREACHABLE') return
        throw error
      }
    }
  }

  async #commit(session: Session, row: number): Promise<LoggedCommit> {
    const begin = await session.value(`SELECT ${NOW}`)
    await session.run(`INSERT INTO app.load_rows (id) VALUES (${row})`)
    const own = this.#product === 'mysql' ? '@@global.gtid_executed' : '@@last_gtid'
    const [after] = await session.rows(`SELECT ${NOW} AS at, ${own} AS gtid`)
    const gtid = (after?.['gtid'] ?? '').replace(/:.*-/, ':')
    const sequence = Number(gtid.split(/[-:]/).at(-1))
    return { row, gtid, sequence, beginMs: numberOf(begin), endMs: numberOf(after?.['at']) }
  }
}
