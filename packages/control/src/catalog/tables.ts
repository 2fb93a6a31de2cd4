/**
 * The tables that an export holds, in an order in which parents come before children, with the
 * key that pages go by. Left out is what means nothing later: sessions, leases, answers kept for
 * repeated requests, sums that triggers make anew; of `meta` the schema's own version.
 */
import type { CatalogTables } from './schema.ts'

type Keys = {
  readonly [
    T in Exclude<
      keyof CatalogTables,
      'session' | 'lease' | 'idempotency' | 'pointTotal' | 'pointDay'
    >
  ]: readonly [keyof CatalogTables[T] & string, ...(keyof CatalogTables[T] & string)[]]
}
export type ExportedTable = keyof Keys

export const EXPORTED_TABLES: Keys = {
  meta: ['key'],
  user: ['id'],
  token: ['id'],
  approval: ['id'],
  secret: ['id'],
  host: ['id'],
  joinToken: ['id'],
  certificate: ['serial'],
  pool: ['id'],
  policy: ['id'],
  source: ['id'],
  schedule: ['sourceId', 'purpose'],
  point: ['id'],
  job: ['id'],
  step: ['jobId', 'position'],
  jobLog: ['seq'],
  jobDependency: ['jobId', 'dependsOn'],
  medium: ['id'],
  sourceDatabase: ['sourceId'],
  virtualDatabase: ['id'],
  bookmark: ['id'],
  consistencyGroup: ['id'],
  groupMember: ['groupId', 'sourceId'],
  groupPoint: ['id'],
  groupPointMember: ['groupPointId', 'sourceId'],
  event: ['seq'],
  webhook: ['id'],
  delivery: ['id'],
  alert: ['id'],
  alertSilence: ['key'],
  channel: ['id'],
  notifyRule: ['id'],
  notification: ['id'],
  sample: ['name', 'subject', 'at'],
  audit: ['seq'],
}

export const EXPORTED_TABLE_NAMES = Object.keys(EXPORTED_TABLES) as readonly ExportedTable[]
