/** What the load asks of production, whatever its engine: a transaction, and what became of it. */
import { dialMariadb } from './load-mariadb.ts'
import { dialPostgres } from './load-postgres.ts'

export type EngineName = 'postgres' | 'mariadb'

/** Where production's Unix socket is: of PostgreSQL its directory, of MariaDB itself. */
export interface LoadTarget {
  readonly socket: string
  readonly port: number
}

export interface Step {
  readonly key: number
  readonly aid: number
  readonly delta: number
}

/** Of a transaction that is committed, as production tells it afterwards. */
export interface Found {
  readonly seq: number
  /** Its id, as a recovery takes it; null when production tells it to nobody any more. */
  readonly transaction: string | null
  /** By production's clock: whatever time its log has for the commit lies in between. */
  readonly beginMs: number
  readonly endMs: number
  /** In production's log; the log that ends there has the commit. A number as text. */
  readonly place: string
}

export interface LoadSession {
  /** One transaction. @returns its number, once production has acknowledged it */
  step(step: Step): Promise<number>
  /** @returns null when it was never committed */
  find(key: number): Promise<Found | null>
}

/** Connects as production's owner, works, and disconnects. */
export type Dial = (
  target: LoadTarget,
  work: (session: LoadSession) => Promise<void>,
) => Promise<void>

export const dials: Readonly<Record<EngineName, Dial>> = {
  postgres: dialPostgres,
  mariadb: dialMariadb,
}
