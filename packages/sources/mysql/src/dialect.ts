/** What the two products say differently, one statement or answer each. */
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import type { GtidMath } from './gtid.ts'
import type { Session } from './session.ts'
import type { Product } from './version.ts'

/** How replication stands on a server. */
export interface ReplicaStatus {
  /** Whether it was told whom to follow. */
  readonly configured: boolean
  readonly receiving: 'yes' | 'connecting' | 'no'
  readonly applying: boolean
  /** Zero: none. Numbers of the manual. */
  readonly receiveErrorNumber: number
  readonly receiveError: string
  readonly applyErrorNumber: number
  readonly applyError: string
  readonly received: string
  /** Production's file and offset up to which it was received. */
  readonly receivedFile: string
  readonly receivedOffset: number
  /** Null: unknown. */
  readonly lagSeconds: number | null
}

export const NOT_CONFIGURED: ReplicaStatus = {
  configured: false,
  receiving: 'no',
  applying: false,
  receiveErrorNumber: 0,
  receiveError: '',
  applyErrorNumber: 0,
  applyError: '',
  received: '',
  receivedFile: '',
  receivedOffset: 0,
  lagSeconds: null,
}

/** A server's binlog as it is now. */
export interface BinlogEnd {
  readonly file: string
  readonly offset: number
}

export interface Dialect {
  readonly product: Product
  readonly gtids: GtidMath
  /** What production has committed. */
  position(session: Session): Promise<string>
  /** What a replica, or an instance of its own, has in it. */
  applied(session: Session): Promise<string>
  binlogEnd(session: Session): Promise<BinlogEnd | null>
  replicaStatus(session: Session): Promise<ReplicaStatus>
  /** Once, on a copy of production: from where it follows. */
  setPosition(session: Session, position: string): Promise<void>
  follow(session: Session, source: FollowSource): Promise<void>
  stopReplica(session: Session): Promise<void>
  /** What has come is applied all the same. */
  stopReceiving(session: Session): Promise<void>
  startReplica(session: Session): Promise<void>
  /** Ends all replication and forgets it, with whatever production itself followed. */
  forgetReplica(session: Session): Promise<void>
  /** Waits up to `seconds` until the replica has the position. @returns whether it has */
  awaitPosition(session: Session, position: string, seconds: number): Promise<boolean>
  /**
   * Why a standby at `position` can never go on from this production; null when it can, or when
   * nothing proves that it cannot.
   */
  proveBroken(production: Session, position: string): Promise<string | null>
  /** Whether production waits for a standby with each commit. */
  isSynchronous(production: Session): Promise<boolean>
  /**
   * Whether commits wait for a standby now: the next ones hold the lock of the binlog meanwhile, so
   * a question about its files would wait as long, and might be what keeps the standby away.
   */
  isWaiting(production: Session): Promise<boolean>
  readonly synchronousRemedy: string
  identity(session: Session): Promise<string>
}

export interface FollowSource {
  readonly connection: DatabaseConnection
  readonly host: string
  readonly port: number
  /** File with the certificates of authorities that are trusted; null: the system's. */
  readonly caFile: string | null
}

export const CONNECT_RETRY_SECONDS = 2

/** Of a number among the status of a server; false where it is unknown. */
export async function isPositive(session: Session, name: string): Promise<boolean> {
  const [row] = await session.rows(`SHOW GLOBAL STATUS LIKE '${name}'`)
  return Number(row?.['Value'] ?? 0) > 0
}

/** NULL: it does not follow now. */
export function secondsOf(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text)
}
