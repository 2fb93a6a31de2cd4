/** What the soak and the cycles need to know of an engine: one object for each of them. */
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import type { Content } from './content.ts'
import { MariadbEngine } from './engine-mariadb.ts'
import { PostgresEngine } from './engine-postgres.ts'
import type { EngineName, LoadTarget } from './load-session.ts'

export interface EngineOptions {
  /** Of production. */
  readonly directory: string
  /** Hundreds of thousands of accounts. */
  readonly scale: number
}

/** How a copy is reached. */
export type Login = Pick<ConnectionRevealed, 'host' | 'port' | 'user' | 'password'>

/** A production server with the tables of the load, and how its copies are asked. */
export interface Engine extends AsyncDisposable {
  readonly name: EngineName
  /** Of a source. */
  readonly kind: 'postgres' | 'mysql'
  /** With its version. */
  readonly title: string
  /** Of whoever protects it. */
  readonly connection: { host: string; port: number; user: string; password: string }
  readonly target: LoadTarget
  /** After the first point, no moment earlier than this is recovered. */
  readonly resolutionMs: number
  /** With SIGKILL, with all its processes. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Its place in the log. @throws Error while it is away */
  committed(): Promise<bigint>
  /**
   * What the standby has on its disk: PostgreSQL is told by it, MariaDB is not, so the standby is
   * asked itself. @returns null, or an error, while one of them is away
   */
  confirmed(sourceId: string): Promise<bigint | null>
  /** Of a position as the API tells it. */
  placeOf(position: string): bigint
  /** The first value, as text, of a statement on a copy. */
  ask(copy: Login, sql: string): Promise<string | null>
  readContent(copy: Login): Promise<Content>
  /** From its return on, each commit waits for the standby. */
  beginWaiting(): Promise<void>
  endWaiting(): Promise<void>
  /** Whom production lets in, and so whatever stands in its place. */
  readonly owner: { readonly user: string; readonly password: string }
  /** What protection may have left on production. */
  census(): Promise<Record<string, number>>
}

export function makeEngine(name: string, options: EngineOptions): Promise<Engine> {
  if (name === 'mariadb') return MariadbEngine.make(options)
  if (name === 'postgres') return PostgresEngine.make(options)
  throw new Error(`no engine "${name}": postgres or mariadb`)
}
