/** What each noun of the server looks like in a list, and how it is looked up. */
import type { RouteName } from '@openmaas/api/routes/routes'
import type { KindName } from './names.ts'
import type { ColumnSpec } from './show.ts'

/** An option of a list and the part of the query that it becomes. */
export interface FilterSpec {
  readonly option: string
  readonly query: string
  /** The value names an object of this kind. */
  readonly finds?: KindName
  readonly as?: 'time' | 'labels' | 'flag'
}

export interface Noun {
  readonly list: RouteName
  readonly get?: RouteName
  /** Name of the id in the path of `get`. */
  readonly param?: string
  readonly columns: readonly ColumnSpec[]
  readonly filters: readonly FilterSpec[]
  /** Lists that names of references come from. */
  readonly references?: readonly KindName[]
  readonly idField?: string
  /** Query of those that have not ended: what is listed without --all. */
  readonly present?: Readonly<Record<string, string>>
}

const ID: ColumnSpec = { title: 'col.id', field: 'id' }
const WIDE_ID: ColumnSpec = { ...ID, wide: true }
const NAME: ColumnSpec = { title: 'col.name', field: 'name' }
const STATE: ColumnSpec = { title: 'col.state', field: 'state' }
const KIND: ColumnSpec = { title: 'col.kind', field: 'kind' }
const LABELS: ColumnSpec = { title: 'col.labels', field: 'labels', kind: 'labels' }
const CREATED: ColumnSpec = { title: 'col.created', field: 'createdAt', kind: 'time', wide: true }
const ENABLED: ColumnSpec = { title: 'col.enabled', field: 'enabled', kind: 'flag' }
const HOST: ColumnSpec = { title: 'col.host', field: 'hostId', kind: 'reference' }
const SOURCE: ColumnSpec = { title: 'col.source', field: 'sourceId', kind: 'reference' }
const POOL: ColumnSpec = { title: 'col.pool', field: 'poolId', kind: 'reference' }

const BY_NAME: FilterSpec = { option: 'name', query: 'filter[name]' }
const BY_STATE: FilterSpec = { option: 'state', query: 'filter[state]' }
const BY_KIND: FilterSpec = { option: 'kind', query: 'filter[kind]' }
const BY_LABEL: FilterSpec = { option: 'label', query: 'filter[labels]', as: 'labels' }
const BY_HOST: FilterSpec = { option: 'host', query: 'filter[hostId]', finds: 'host' }
const BY_SOURCE: FilterSpec = { option: 'source', query: 'filter[sourceId]', finds: 'source' }
const BY_POOL: FilterSpec = { option: 'pool-name', query: 'filter[poolId]', finds: 'pool' }
const BY_POLICY: FilterSpec = { option: 'policy', query: 'filter[policyId]', finds: 'policy' }
const FROM: FilterSpec = { option: 'from', query: 'filter[from]', as: 'time' }
const UNTIL: FilterSpec = { option: 'until', query: 'filter[until]', as: 'time' }

export const NOUNS = {
  source: {
    list: 'listSources',
    get: 'getSource',
    param: 'sourceId',
    columns: [
      NAME,
      HOST,
      { title: 'col.path', field: 'path' },
      { title: 'col.policy', field: 'effectivePolicyId', kind: 'reference' },
      { title: 'col.lastSuccess', field: 'lastSuccessAt', kind: 'time' },
      { title: 'col.nextRun', field: 'nextRunAt', kind: 'time' },
      { title: 'col.paused', field: 'paused', kind: 'flag' },
      { ...LABELS, wide: true },
      { ...POOL, wide: true },
      WIDE_ID,
    ],
    filters: [BY_NAME, BY_HOST, BY_POLICY, BY_KIND, BY_LABEL],
    references: ['host', 'policy', 'pool'],
  },
  policy: {
    list: 'listPolicies',
    get: 'getPolicy',
    param: 'policyId',
    columns: [
      NAME,
      { title: 'col.rpo', field: 'spec.rpo' },
      { title: 'col.selector', field: 'selector', kind: 'labels' },
      { title: 'col.priority', field: 'priority', kind: 'count' },
      ENABLED,
      { title: 'col.sources', field: 'sourceCount', kind: 'count' },
      WIDE_ID,
      CREATED,
    ],
    filters: [BY_NAME],
  },
  point: {
    list: 'listPoints',
    get: 'getPoint',
    param: 'pointId',
    columns: [
      ID,
      SOURCE,
      { title: 'col.taken', field: 'takenAt', kind: 'time' },
      { title: 'col.size', field: 'sizeBytes', kind: 'bytes' },
      { title: 'col.added', field: 'addedBytes', kind: 'bytes' },
      STATE,
      { title: 'col.reasons', field: 'reasons', kind: 'list' },
      { title: 'col.locked', field: 'lockUntil', kind: 'time', wide: true },
      { title: 'col.verification', field: 'verification.state' },
      { title: 'col.verified', field: 'verifiedAt', kind: 'time', wide: true },
      { ...POOL, wide: true },
      { ...LABELS, wide: true },
    ],
    filters: [BY_SOURCE, BY_HOST, BY_POOL, BY_STATE, FROM, UNTIL, BY_LABEL],
    references: ['source', 'pool'],
  },
  job: {
    list: 'listJobs',
    get: 'getJob',
    param: 'jobId',
    columns: [
      ID,
      KIND,
      STATE,
      SOURCE,
      { title: 'col.queued', field: 'queuedAt', kind: 'time' },
      { title: 'col.ended', field: 'endedAt', kind: 'time' },
      { title: 'col.percent', field: 'progress.pct' },
      { title: 'col.problem', field: 'problem.code' },
      { title: 'col.actor', field: 'actor', wide: true },
      { ...HOST, wide: true },
    ],
    filters: [BY_STATE, BY_KIND, BY_SOURCE, BY_HOST, BY_POOL, FROM, UNTIL, BY_LABEL],
    references: ['source', 'host'],
  },
  media: {
    list: 'listMedia',
    get: 'getMedium',
    param: 'mediumId',
    columns: [
      NAME,
      STATE,
      SOURCE,
      HOST,
      { title: 'col.mounted', field: 'mountPath' },
      { title: 'col.device', field: 'device' },
      { title: 'col.lease', field: 'leaseUntil', kind: 'time' },
      { title: 'col.protocol', field: 'protocol', wide: true },
      { title: 'col.readOnly', field: 'readOnly', kind: 'flag', wide: true },
      WIDE_ID,
      { title: 'col.createdBy', field: 'createdBy', wide: true },
    ],
    filters: [BY_STATE, BY_HOST, BY_SOURCE, BY_NAME, BY_LABEL],
    present: { 'filter[state]': 'plugging,plugged,ejecting,failed,lost' },
    references: ['source', 'host'],
  },
  database: {
    list: 'listSources',
    columns: [
      NAME,
      KIND,
      HOST,
      { title: 'col.path', field: 'path' },
      { title: 'col.standby', field: 'database.status.state' },
      { title: 'col.lag', field: 'database.status.lagMs', kind: 'duration' },
      { title: 'col.lastSuccess', field: 'lastSuccessAt', kind: 'time' },
      WIDE_ID,
      { title: 'col.version', field: 'database.engineVersion', wide: true },
    ],
    filters: [],
    references: ['host'],
  },
  vdb: {
    list: 'listVirtualDatabases',
    get: 'getVirtualDatabase',
    param: 'virtualDatabaseId',
    columns: [
      NAME,
      STATE,
      SOURCE,
      HOST,
      { title: 'col.port', field: 'port' },
      { title: 'col.dataAt', field: 'dataAt', kind: 'time' },
      { title: 'col.lease', field: 'leaseUntil', kind: 'time' },
      { title: 'col.version', field: 'engineVersion', wide: true },
      WIDE_ID,
      { title: 'col.written', field: 'writtenBytes', kind: 'bytes', wide: true },
      { title: 'col.lag', field: 'sync.lagMs', kind: 'duration', wide: true },
      { title: 'col.createdBy', field: 'createdBy', wide: true },
    ],
    filters: [BY_STATE, BY_HOST, BY_SOURCE, BY_NAME, BY_LABEL],
    present: { 'filter[active]': 'true' },
    references: ['source', 'host'],
  },
  group: {
    list: 'listGroups',
    get: 'getGroup',
    param: 'groupId',
    columns: [
      NAME,
      { title: 'col.members', field: 'sourceIds', kind: 'references' },
      { title: 'col.policy', field: 'policyId', kind: 'reference' },
      { title: 'col.lastMoment', field: 'lastPointAt', kind: 'time' },
      { title: 'col.nextRun', field: 'nextRunAt', kind: 'time' },
      { title: 'col.problem', field: 'problem.message' },
      { ...LABELS, wide: true },
      WIDE_ID,
    ],
    filters: [BY_NAME, BY_LABEL],
    references: ['source', 'policy'],
  },
  groupPoint: {
    list: 'listGroupPoints',
    columns: [
      ID,
      { title: 'col.moment', field: 'at', kind: 'time' },
      { title: 'col.clockSpread', field: 'clockSpreadMs', kind: 'duration' },
      { title: 'col.reasons', field: 'reasons', kind: 'list' },
    ],
    filters: [],
  },
  host: {
    list: 'listHosts',
    get: 'getHost',
    param: 'hostId',
    columns: [
      NAME,
      KIND,
      STATE,
      { title: 'col.drained', field: 'drained', kind: 'flag' },
      { title: 'col.version', field: 'softwareVersion' },
      { title: 'col.lastSeen', field: 'lastSeenAt', kind: 'time' },
      LABELS,
      WIDE_ID,
      { title: 'col.certificate', field: 'certificateNotAfter', kind: 'time', wide: true },
      { title: 'col.data', field: 'dataAddress', wide: true },
    ],
    filters: [BY_NAME, BY_KIND, BY_STATE, BY_LABEL],
  },
  pool: {
    list: 'listPools',
    get: 'getPool',
    param: 'poolId',
    columns: [
      NAME,
      STATE,
      { title: 'col.node', field: 'nodeId', kind: 'reference' },
      { title: 'col.stored', field: 'stats.physicalBytes', kind: 'bytes' },
      { title: 'col.logical', field: 'stats.logicalBytes', kind: 'bytes' },
      { title: 'col.free', field: 'stats.freeBytes', kind: 'bytes' },
      { title: 'col.daysToFull', field: 'daysToFull', kind: 'count' },
      { title: 'col.path', field: 'path', wide: true },
      { ...LABELS, wide: true },
      WIDE_ID,
    ],
    filters: [BY_NAME, BY_STATE, BY_LABEL],
    references: ['host'],
  },
  alert: {
    list: 'listAlerts',
    get: 'getAlert',
    param: 'alertId',
    columns: [
      ID,
      { title: 'col.severity', field: 'severity' },
      STATE,
      { title: 'col.title', field: 'title' },
      { title: 'col.opened', field: 'openedAt', kind: 'time' },
      { title: 'col.acknowledged', field: 'acknowledgedBy' },
      { title: 'col.silenced', field: 'silence.until', kind: 'time' },
      { title: 'col.nextStep', field: 'nextStep', wide: true },
    ],
    filters: [BY_STATE, { option: 'severity', query: 'filter[severity]' }, BY_LABEL],
  },
  user: {
    list: 'listUsers',
    get: 'getUser',
    param: 'userId',
    columns: [
      NAME,
      { title: 'col.displayName', field: 'displayName' },
      { title: 'col.roles', field: 'roles', kind: 'list' },
      { title: 'col.scope', field: 'scope', kind: 'labels' },
      STATE,
      { title: 'col.secondFactor', field: 'secondFactor', kind: 'flag' },
      { title: 'col.lastLogin', field: 'lastLoginAt', kind: 'time' },
      WIDE_ID,
    ],
    filters: [BY_NAME, BY_STATE],
  },
  token: {
    list: 'listMyTokens',
    columns: [
      ID,
      NAME,
      { title: 'col.roles', field: 'roles', kind: 'list' },
      { title: 'col.expires', field: 'expiresAt', kind: 'time' },
      { title: 'col.lastUsed', field: 'lastUsedAt', kind: 'time' },
      { title: 'col.revoked', field: 'revokedAt', kind: 'time' },
    ],
    filters: [],
  },
  approval: {
    list: 'listApprovals',
    get: 'getApproval',
    param: 'approvalId',
    columns: [
      ID,
      { title: 'col.action', field: 'action' },
      { title: 'col.object', field: 'object' },
      STATE,
      { title: 'col.requestedBy', field: 'requestedBy' },
      { title: 'col.expires', field: 'expiresAt', kind: 'time' },
      { title: 'col.reason', field: 'reason' },
    ],
    filters: [BY_STATE],
  },
  webhook: {
    list: 'listWebhooks',
    get: 'getWebhook',
    param: 'webhookId',
    columns: [
      NAME,
      { title: 'col.url', field: 'url' },
      { title: 'col.topics', field: 'topics', kind: 'list' },
      ENABLED,
      WIDE_ID,
    ],
    filters: [],
  },
  channel: {
    list: 'listChannels',
    get: 'getChannel',
    param: 'channelId',
    columns: [NAME, KIND, ENABLED, WIDE_ID, CREATED],
    filters: [BY_NAME, BY_KIND],
  },
  notifyRule: {
    list: 'listNotificationRules',
    get: 'getNotificationRule',
    param: 'ruleId',
    columns: [
      NAME,
      { title: 'col.severity', field: 'match.severities', kind: 'list' },
      { title: 'col.rules', field: 'match.rules', kind: 'list' },
      { title: 'col.channels', field: 'channels', kind: 'references' },
      ENABLED,
      WIDE_ID,
    ],
    filters: [BY_NAME],
    references: ['channel'],
  },
  delivery: {
    list: 'listDeliveries',
    columns: [
      ID,
      { title: 'col.event', field: 'eventSeq' },
      STATE,
      { title: 'col.attempts', field: 'attempts', kind: 'count' },
      { title: 'col.answer', field: 'status' },
      { title: 'col.problem', field: 'error' },
    ],
    filters: [BY_STATE],
  },
  audit: {
    list: 'listAudit',
    columns: [
      { title: 'col.number', field: 'seq' },
      { title: 'col.time', field: 'at', kind: 'time' },
      { title: 'col.actor', field: 'actor' },
      { title: 'col.action', field: 'action' },
      { title: 'col.object', field: 'object' },
      { title: 'col.outcome', field: 'outcome' },
      { title: 'col.reason', field: 'reason', wide: true },
      { title: 'col.address', field: 'address', wide: true },
    ],
    filters: [
      { option: 'actor', query: 'filter[actor]' },
      { option: 'object', query: 'filter[object]' },
      { option: 'action', query: 'filter[action]' },
      { option: 'outcome', query: 'filter[outcome]' },
      FROM,
      UNTIL,
    ],
    idField: 'seq',
  },
  joinToken: {
    list: 'listJoinTokens',
    columns: [
      ID,
      KIND,
      { title: 'col.expires', field: 'expiresAt', kind: 'time' },
      { title: 'col.used', field: 'usedAt', kind: 'time' },
      LABELS,
    ],
    filters: [],
  },
} as const satisfies Record<string, Noun>
export type NounName = keyof typeof NOUNS
