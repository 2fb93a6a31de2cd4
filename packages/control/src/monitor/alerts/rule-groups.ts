/** Rules in groups that look at the same rows. */
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../../catalog/schema.ts'
import type { Board } from '../board.ts'
import type { SourceAnomaly } from '../anomaly/anomaly.ts'
import type { PoolForecast } from '../capacity/forecast.ts'
import type { DiskSpace, NamedCertificate } from '../health.ts'
import type { AlertRow } from './alert-repository.ts'
import type { AlertRule, Finding } from './alert-rules.ts'
import { hostRules } from './host-rules.ts'
import { jobRules } from './job-rules.ts'
import { mediumRules } from './medium-rules.ts'
import { poolRules } from './pool-rules.ts'
import { serverRules } from './server-rules.ts'
import { sourceRules } from './source-rules.ts'

export interface RuleContext {
  readonly db: Kysely<CatalogTables>
  readonly now: number
  /** Since when this process watches: what needs time to come up is given it. */
  readonly upMs: number
  readonly board: Board
  readonly forecasts: ReadonlyMap<string, PoolForecast>
  readonly anomalies: ReadonlyMap<string, readonly SourceAnomaly[]>
  readonly disk: DiskSpace | null
  readonly certificates: readonly NamedCertificate[]
  /** By key: what fires already ends a little later than it began. */
  readonly firing: ReadonlyMap<string, AlertRow>
}

export interface RuleGroup {
  readonly rules: readonly AlertRule[]
  find(context: RuleContext): Promise<Finding[]>
}

export const RULE_GROUPS: readonly RuleGroup[] = [
  sourceRules,
  jobRules,
  hostRules,
  poolRules,
  mediumRules,
  serverRules,
]
