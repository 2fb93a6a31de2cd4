/**
 * The first schema: every table of schema.ts, and the indexes behind the lists of the API.
 *
 * Column kinds: `text`, `integer` (64 bits), `real`, each with `?` where null is allowed;
 * `sequence` numbers rows by itself, ascending, never the same number twice.
 *
 * Foreign keys stand only where a row is nothing without its parent (a step without its job):
 * they clean up. What is history (jobs, points, audit) outlives what it speaks about.
 */
import type { CreateTableBuilder, Generated, Kysely } from 'kysely'
import type { CatalogTables } from '../schema.ts'
import type { GroupTables } from '../schema-groups.ts'
import { addIndexes0001 } from './0001-indexes.ts'
import type { CatalogDialect, Migration } from './migration.ts'

export type Bare<V> = [V] extends [number] ? 'integer' | 'real' : 'text'
// In brackets: a union with null is one type here, not one after the other.
export type Kind<V> = [V] extends [Generated<number>]
  ? 'sequence'
  : null extends V
    ? `${Bare<Exclude<V, null>>}?`
    : Bare<V>

/** Later migrations add these tables, and these columns. */
type Later =
  | 'pointTotal'
  | 'pointDay'
  | 'sourceDatabase'
  | 'virtualDatabase'
  | 'bookmark'
  | 'alertSilence'
  | keyof GroupTables
interface LaterColumns {
  readonly point: 'databaseJson' | 'onDemand' | 'verificationJson'
  readonly job: 'virtualDatabaseId'
}
type LaterOf<T> = T extends keyof LaterColumns ? LaterColumns[T] : never

/** The compiler checks that no column of schema.ts is forgotten, nor of another kind. */
type Columns = {
  readonly [T in Exclude<keyof CatalogTables, Later>]: {
    readonly [C in Exclude<keyof CatalogTables[T], LaterOf<T>>]: Kind<CatalogTables[T][C]>
  }
}

export const COLUMNS_0001: Columns = {
  meta: { key: 'text', value: 'text' },
  user: {
    id: 'text',
    name: 'text',
    displayName: 'text',
    email: 'text?',
    passwordHash: 'text?',
    totpSecret: 'text?',
    rolesJson: 'text',
    scopeJson: 'text?',
    state: 'text',
    mustChangePassword: 'integer',
    oidcIssuer: 'text?',
    oidcSubject: 'text?',
    failedLogins: 'integer',
    lockedUntil: 'integer?',
    createdAt: 'integer',
    lastLoginAt: 'integer?',
    version: 'integer',
  },
  session: {
    hash: 'text',
    userId: 'text',
    csrfHash: 'text',
    address: 'text',
    complete: 'integer',
    createdAt: 'integer',
    lastSeenAt: 'integer',
    expiresAt: 'integer',
  },
  token: {
    id: 'text',
    name: 'text',
    hash: 'text',
    userId: 'text',
    rolesJson: 'text',
    scopeJson: 'text?',
    createdAt: 'integer',
    expiresAt: 'integer',
    lastUsedAt: 'integer?',
    revokedAt: 'integer?',
  },
  approval: {
    id: 'text',
    action: 'text',
    object: 'text',
    paramsJson: 'text',
    reason: 'text',
    state: 'text',
    requestedBy: 'text',
    requestedAt: 'integer',
    decidedBy: 'text?',
    decidedAt: 'integer?',
    expiresAt: 'integer',
  },
  secret: { id: 'text', name: 'text', sealed: 'text', createdAt: 'integer' },
  host: {
    id: 'text',
    name: 'text',
    kind: 'text',
    labelsJson: 'text',
    state: 'text',
    drained: 'integer',
    softwareVersion: 'text',
    aboutJson: 'text',
    dataAddress: 'text?',
    certificateSerial: 'text?',
    certificateNotAfter: 'integer?',
    lastSeenAt: 'integer?',
    clockSkewMs: 'integer',
    createdAt: 'integer',
    version: 'integer',
  },
  joinToken: {
    id: 'text',
    hash: 'text',
    kind: 'text',
    labelsJson: 'text',
    createdBy: 'text',
    createdAt: 'integer',
    expiresAt: 'integer',
    usedAt: 'integer?',
    hostId: 'text?',
  },
  certificate: {
    serial: 'text',
    hostId: 'text',
    fingerprint: 'text',
    notAfter: 'integer',
    revokedAt: 'integer?',
  },
  pool: {
    id: 'text',
    name: 'text',
    nodeId: 'text',
    path: 'text',
    labelsJson: 'text',
    state: 'text',
    statsJson: 'text',
    seenAt: 'integer?',
    createdAt: 'integer',
    version: 'integer',
  },
  source: {
    id: 'text',
    name: 'text',
    hostId: 'text',
    kind: 'text',
    path: 'text',
    optionsJson: 'text',
    labelsJson: 'text',
    policyId: 'text?',
    poolId: 'text?',
    paused: 'integer',
    lastSuccessAt: 'integer?',
    lastPointId: 'text?',
    createdAt: 'integer',
    version: 'integer',
  },
  policy: {
    id: 'text',
    name: 'text',
    selectorJson: 'text?',
    priority: 'integer',
    specJson: 'text',
    enabled: 'integer',
    createdAt: 'integer',
    version: 'integer',
  },
  schedule: {
    sourceId: 'text',
    policyId: 'text',
    purpose: 'text',
    nextRunAt: 'integer',
    lastDueAt: 'integer?',
    lastJobId: 'text?',
    failures: 'integer',
  },
  point: {
    id: 'text',
    sourceId: 'text',
    hostId: 'text',
    poolId: 'text',
    snapshotId: 'text',
    kind: 'text',
    consistency: 'text',
    takenAt: 'integer',
    sizeBytes: 'integer',
    addedBytes: 'integer',
    itemCount: 'integer',
    warningCount: 'integer',
    state: 'text',
    reasonsJson: 'text',
    lockUntil: 'integer?',
    verifiedAt: 'integer?',
    labelsJson: 'text',
  },
  job: {
    id: 'text',
    kind: 'text',
    state: 'text',
    phase: 'text',
    priority: 'integer',
    activeKey: 'text?',
    sourceId: 'text?',
    hostId: 'text?',
    nodeId: 'text?',
    poolId: 'text?',
    pointId: 'text?',
    mediumId: 'text?',
    policyId: 'text?',
    parentId: 'text?',
    retryOf: 'text?',
    actor: 'text',
    labelsJson: 'text',
    paramsJson: 'text',
    progressJson: 'text',
    resultJson: 'text?',
    problemJson: 'text?',
    attempt: 'integer',
    attemptMax: 'integer',
    notBefore: 'integer',
    queuedAt: 'integer',
    startedAt: 'integer?',
    endedAt: 'integer?',
    deadlineAt: 'integer?',
    cancelRequestedAt: 'integer?',
    claimedBy: 'text?',
    claimToken: 'integer',
    claimUntil: 'integer?',
  },
  step: {
    jobId: 'text',
    position: 'integer',
    name: 'text',
    state: 'text',
    attempt: 'integer',
    resultJson: 'text?',
    problemJson: 'text?',
    startedAt: 'integer',
    endedAt: 'integer?',
  },
  jobLog: {
    seq: 'sequence',
    jobId: 'text',
    at: 'integer',
    level: 'text',
    code: 'text',
    text: 'text',
  },
  jobDependency: { jobId: 'text', dependsOn: 'text' },
  lease: { name: 'text', holder: 'text', token: 'integer', until: 'integer' },
  medium: {
    id: 'text',
    name: 'text',
    pointId: 'text',
    sourceId: 'text',
    poolId: 'text',
    nodeId: 'text',
    hostId: 'text',
    protocol: 'text',
    readOnly: 'integer',
    mountPath: 'text?',
    device: 'text?',
    state: 'text',
    purpose: 'text',
    leaseUntil: 'integer?',
    quotaBytes: 'integer?',
    bytesPerSecond: 'integer?',
    poolMediumId: 'text?',
    labelsJson: 'text',
    createdBy: 'text',
    createdAt: 'integer',
    endedAt: 'integer?',
    problemJson: 'text?',
    version: 'integer',
  },
  event: {
    seq: 'sequence',
    at: 'integer',
    topic: 'text',
    type: 'text',
    subject: 'text',
    labelsJson: 'text',
    dataJson: 'text',
  },
  webhook: {
    id: 'text',
    name: 'text',
    url: 'text',
    secretSealed: 'text',
    topicsJson: 'text',
    enabled: 'integer',
    lastSeq: 'integer',
    createdAt: 'integer',
    version: 'integer',
  },
  delivery: {
    id: 'text',
    webhookId: 'text',
    eventSeq: 'integer',
    state: 'text',
    attempts: 'integer',
    nextAt: 'integer',
    status: 'integer?',
    error: 'text?',
    createdAt: 'integer',
    endedAt: 'integer?',
  },
  alert: {
    id: 'text',
    rule: 'text',
    key: 'text',
    severity: 'text',
    state: 'text',
    subject: 'text',
    labelsJson: 'text',
    paramsJson: 'text',
    openedAt: 'integer',
    seenAt: 'integer',
    resolvedAt: 'integer?',
    acknowledgedBy: 'text?',
    acknowledgedAt: 'integer?',
  },
  channel: {
    id: 'text',
    name: 'text',
    kind: 'text',
    configSealed: 'text',
    enabled: 'integer',
    createdAt: 'integer',
    version: 'integer',
  },
  notifyRule: {
    id: 'text',
    name: 'text',
    matchJson: 'text',
    channelsJson: 'text',
    enabled: 'integer',
    version: 'integer',
  },
  notification: {
    id: 'text',
    alertId: 'text',
    channelId: 'text',
    state: 'text',
    attempts: 'integer',
    nextAt: 'integer',
    error: 'text?',
  },
  sample: { name: 'text', subject: 'text', at: 'integer', value: 'real' },
  audit: {
    seq: 'integer',
    at: 'integer',
    actor: 'text',
    address: 'text',
    action: 'text',
    object: 'text',
    labelsJson: 'text',
    outcome: 'text',
    requestId: 'text',
    beforeJson: 'text?',
    afterJson: 'text?',
    reason: 'text?',
    previousHash: 'text',
    hash: 'text',
  },
  idempotency: {
    key: 'text',
    actor: 'text',
    route: 'text',
    requestHash: 'text',
    status: 'integer?',
    headersJson: 'text?',
    body: 'text?',
    createdAt: 'integer',
  },
}

/** Where it is not `id` and not a sequence. */
const PRIMARY_KEYS: Readonly<Record<string, readonly string[]>> = {
  meta: ['key'],
  session: ['hash'],
  certificate: ['serial'],
  schedule: ['sourceId', 'purpose'],
  step: ['jobId', 'position'],
  jobDependency: ['jobId', 'dependsOn'],
  lease: ['name'],
  sample: ['name', 'subject', 'at'],
  sourceDatabase: ['sourceId'],
  alertSilence: ['key'],
  groupMember: ['groupId', 'sourceId'],
  groupPointMember: ['groupPointId', 'sourceId'],
  audit: ['seq'],
  idempotency: ['actor', 'key'],
}

/** Child table, its column, parent. Deleting the parent deletes the child. */
const PARENTS: readonly (readonly [string, string, string])[] = [
  ['session', 'userId', 'user'],
  ['token', 'userId', 'user'],
  ['certificate', 'hostId', 'host'],
  ['schedule', 'sourceId', 'source'],
  ['sourceDatabase', 'sourceId', 'source'],
  ['bookmark', 'virtualDatabaseId', 'virtualDatabase'],
  ['groupMember', 'groupId', 'consistencyGroup'],
  ['groupPoint', 'groupId', 'consistencyGroup'],
  ['groupPointMember', 'groupPointId', 'groupPoint'],
  ['step', 'jobId', 'job'],
  ['jobLog', 'jobId', 'job'],
  ['jobDependency', 'jobId', 'job'],
  ['delivery', 'webhookId', 'webhook'],
  ['notification', 'alertId', 'alert'],
  ['notification', 'channelId', 'channel'],
]

export async function createTable(
  db: Kysely<unknown>,
  name: string,
  columns: Readonly<Record<string, string>>,
  dialect: CatalogDialect,
): Promise<void> {
  let table: CreateTableBuilder<string, string> = db.schema.createTable(name)
  const postgres = dialect === 'postgres'
  const sequence = Object.keys(columns).find((column) => columns[column] === 'sequence')
  for (const [column, kind] of Object.entries(columns)) {
    if (kind === 'sequence') {
      table = table.addColumn(column, postgres ? 'bigserial' : 'integer', (c) =>
        postgres ? c.primaryKey() : c.primaryKey().autoIncrement(),
      )
      continue
    }
    const integer = postgres ? 'bigint' : 'integer'
    const bare = kind.replace('?', '')
    const type = bare === 'integer' ? integer : bare === 'real' ? 'double precision' : 'text'
    table = table.addColumn(column, type, (c) => (kind.endsWith('?') ? c : c.notNull()))
  }
  if (sequence === undefined) {
    const key = PRIMARY_KEYS[name] ?? ['id']
    table = table.addPrimaryKeyConstraint(`${name}Key`, [...key])
  }
  for (const [child, column, parent] of PARENTS.filter(([child]) => child === name)) {
    table = table.addForeignKeyConstraint(`${child}${column}`, [column], parent, ['id'], (f) =>
      f.onDelete('cascade'),
    )
  }
  await table.execute()
}

export const migration0001: Migration = {
  version: 1,
  name: 'tables',
  apply: async (db, dialect) => {
    // The runner made `meta` before anything: it keeps the version there.
    for (const [name, columns] of Object.entries(COLUMNS_0001)) {
      if (name !== 'meta') await createTable(db, name, columns, dialect)
    }
    await addIndexes0001(db)
  },
}
