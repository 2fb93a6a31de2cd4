/** What a group of rules is: it looks at some rows once, and finds what is wrong with them. */
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../../catalog/schema.ts'
import type { Board } from '../board.ts'
import type { SourceAnomaly } from '../anomaly/anomaly.ts'
import type { PoolForecast } from '../capacity/forecast.ts'
import type { DiskSpace, NamedCertificate } from '../health.ts'
import type { AlertRow } from './alert-repository.ts'
import type { AlertRule, Finding } from './alert-rules.ts'

export interface RuleContext {
  readonly db: Kysely<CatalogTables>
  readonly now: number
  /** Since when this process watches: what needs time to come up is given it. */
  readonly upMs: number
  board(): Promise<Board>
  readonly forecasts: ReadonlyMap<string, PoolForecast>
  anomalies(): Promise<ReadonlyMap<string, readonly SourceAnomaly[]>>
  /** Null: there is none to watch. */
  disk(): Promise<DiskSpace | null>
  certificates(): Promise<readonly NamedCertificate[]>
  /** By key: what fires already ends a little later than it began. */
  readonly firing: ReadonlyMap<string, AlertRow>
}

export interface RuleGroup {
  readonly rules: readonly AlertRule[]
  find(context: RuleContext): Promise<Finding[]>
}
