/**
 * The tables of the catalog, the same on SQLite and PostgreSQL. Columns are snake_case in the
 * database (Kysely's CamelCasePlugin). Times are milliseconds since 1970, UTC; booleans 0 or 1;
 * what ends in `Json` is JSON text, parsed by the repository that owns the table with its zod
 * schema. `version` counts up with every change: the ETag.
 *
 * Never here: file indexes and block maps, which live in the pool.
 */
import type { Generated } from 'kysely'
import type { DatabaseTables } from './schema-databases.ts'
import type { GroupTables } from './schema-groups.ts'

export interface CatalogTables extends DatabaseTables, GroupTables {
  meta: { key: string; value: string }

  /** People. `scopeJson` is a label selector that limits what they see, null for everything. */
  user: {
    id: string
    name: string
    displayName: string
    email: string | null
    /** PHC text of argon2id; null for one who only comes by OIDC. */
    passwordHash: string | null
    /** Sealed. */
    totpSecret: string | null
    rolesJson: string
    scopeJson: string | null
    state: 'active' | 'disabled'
    mustChangePassword: number
    oidcIssuer: string | null
    oidcSubject: string | null
    failedLogins: number
    lockedUntil: number | null
    createdAt: number
    lastLoginAt: number | null
    version: number
  }
  /** Browser sessions, by the SHA-256 of the cookie. */
  session: {
    hash: string
    userId: string
    csrfHash: string
    address: string
    /** 0 until the second factor has been shown. */
    complete: number
    createdAt: number
    lastSeenAt: number
    expiresAt: number
  }
  /** API tokens, by the SHA-256 of `msk_…`. */
  token: {
    id: string
    name: string
    hash: string
    userId: string
    rolesJson: string
    scopeJson: string | null
    createdAt: number
    expiresAt: number
    lastUsedAt: number | null
    revokedAt: number | null
  }
  /** Four eyes: an action that waits for somebody else's consent. */
  approval: {
    id: string
    action: string
    object: string
    paramsJson: string
    reason: string
    state: 'waiting' | 'approved' | 'refused' | 'used' | 'expired'
    requestedBy: string
    requestedAt: number
    decidedBy: string | null
    decidedAt: number | null
    expiresAt: number
  }
  /** Secrets of protected systems, sealed with a key that the web tier does not hold. */
  secret: { id: string; name: string; sealed: string; createdAt: number }

  /** Machines that joined: agents (customers') and nodes (ours). */
  host: {
    id: string
    name: string
    kind: 'agent' | 'node'
    labelsJson: string
    state: 'pending' | 'online' | 'offline' | 'removed'
    /** Takes no new work. */
    drained: number
    softwareVersion: string
    /** Operating system, kernel, addresses, abilities: what it said at its last hello. */
    aboutJson: string
    /** For a node: where agents reach its data port, host:port. */
    dataAddress: string | null
    certificateSerial: string | null
    certificateNotAfter: number | null
    lastSeenAt: number | null
    clockSkewMs: number
    createdAt: number
    version: number
  }
  joinToken: {
    id: string
    hash: string
    kind: 'agent' | 'node'
    labelsJson: string
    createdBy: string
    createdAt: number
    expiresAt: number
    usedAt: number | null
    hostId: string | null
  }
  certificate: {
    serial: string
    hostId: string
    fingerprint: string
    notAfter: number
    revokedAt: number | null
  }

  pool: {
    id: string
    name: string
    nodeId: string
    path: string
    labelsJson: string
    state: 'online' | 'offline' | 'degraded' | 'full'
    /** Bytes and counts as the node last reported them: PoolStats of packages/api. */
    statsJson: string
    seenAt: number | null
    createdAt: number
    version: number
  }
  source: {
    id: string
    name: string
    hostId: string
    /** SourceKind of packages/api: files, disk, or the engine of a database. */
    kind: string
    /** Of a database: host:port of production. */
    path: string
    /** Include/exclude rules, channels: SourceOptions of packages/api. */
    optionsJson: string
    labelsJson: string
    /** Null: the policy whose selector matches, by priority. */
    policyId: string | null
    poolId: string | null
    paused: number
    lastSuccessAt: number | null
    lastPointId: string | null
    createdAt: number
    version: number
  }
  policy: {
    id: string
    name: string
    /** Label selector; null: only where a source names it. */
    selectorJson: string | null
    /** Highest wins where several match. */
    priority: number
    /** PolicySpec of packages/api. */
    specJson: string
    enabled: number
    createdAt: number
    version: number
  }
  /** One row per source under a policy: when it is due. */
  schedule: {
    sourceId: string
    policyId: string
    /** What it is for: 'protect', 'verify', 'drill'. */
    purpose: string
    nextRunAt: number
    lastDueAt: number | null
    lastJobId: string | null
    /** Failures in a row. */
    failures: number
  }
  point: {
    id: string
    sourceId: string
    hostId: string
    poolId: string
    snapshotId: string
    kind: 'tree' | 'volume'
    consistency: 'crash' | 'application' | 'files'
    takenAt: number
    /** Bytes that it shows, and bytes it added to the pool. */
    sizeBytes: number
    addedBytes: number
    itemCount: number
    warningCount: number
    state: 'available' | 'deleting' | 'deleted' | 'missing'
    /** Why it is kept: ["daily 2026-11-22", …]; empty when it may go. */
    reasonsJson: string
    lockUntil: number | null
    verifiedAt: number | null
    /** Evidence of the last verification: points/verification.ts. */
    verificationJson: Generated<string | null>
    labelsJson: string
    /** PointDatabase of packages/api, of a point of a database. */
    databaseJson: Generated<string | null>
    /** 1: taken for a virtual database, not by the policy: it takes no place of the policy's. */
    onDemand: Generated<number>
  }

  /**
   * Points and their bytes per source, pool and state, so that nobody counts a million rows.
   * Kept by triggers on `point` in its own transaction: read it, never write it.
   */
  pointTotal: {
    sourceId: string
    poolId: string
    state: CatalogTables['point']['state']
    pointCount: number
    sizeBytes: number
    addedBytes: number
  }
  /** What was taken on each day (days since 1970, UTC), by triggers; deletion changes nothing. */
  pointDay: { day: number; poolId: string; pointCount: number; addedBytes: number }

  job: {
    id: string
    kind: string
    state: 'queued' | 'running' | 'paused' | 'succeeded' | 'warning' | 'failed' | 'cancelled'
    phase: string
    priority: number
    /** One active job per key: ('protect', source). */
    activeKey: string | null
    sourceId: string | null
    hostId: string | null
    nodeId: string | null
    poolId: string | null
    pointId: string | null
    mediumId: string | null
    virtualDatabaseId: Generated<string | null>
    policyId: string | null
    parentId: string | null
    retryOf: string | null
    actor: string
    labelsJson: string
    paramsJson: string
    progressJson: string
    resultJson: string | null
    problemJson: string | null
    attempt: number
    attemptMax: number
    notBefore: number
    queuedAt: number
    startedAt: number | null
    endedAt: number | null
    deadlineAt: number | null
    cancelRequestedAt: number | null
    /** Who runs it, with the fencing token that every write of a step must show. */
    claimedBy: string | null
    claimToken: number
    claimUntil: number | null
  }
  /** Journal of a job's steps: what is here has happened, and is not done again. */
  step: {
    jobId: string
    position: number
    name: string
    state: 'running' | 'done' | 'failed' | 'undone'
    attempt: number
    resultJson: string | null
    problemJson: string | null
    startedAt: number
    endedAt: number | null
  }
  jobLog: {
    seq: Generated<number>
    jobId: string
    at: number
    level: 'info' | 'warning' | 'error'
    code: string
    text: string
  }
  /** Jobs that wait for others: the job starts when all it depends on have succeeded. */
  jobDependency: { jobId: string; dependsOn: string }
  /** Named leases with a fencing token: who is the scheduler, who reconciles. */
  lease: { name: string; holder: string; token: number; until: number }

  medium: {
    id: string
    name: string
    pointId: string
    sourceId: string
    poolId: string
    nodeId: string
    hostId: string
    protocol: 'local' | 'nbd'
    readOnly: number
    mountPath: string | null
    device: string | null
    state: 'plugging' | 'plugged' | 'ejecting' | 'ejected' | 'failed' | 'lost'
    purpose: string
    leaseUntil: number | null
    quotaBytes: number | null
    bytesPerSecond: number | null
    /** The pool's own id of the medium on its node. */
    poolMediumId: string | null
    labelsJson: string
    createdBy: string
    createdAt: number
    endedAt: number | null
    problemJson: string | null
    version: number
  }

  /** What happened, in order: SSE with resume, webhooks and alerts read from here. */
  event: {
    seq: Generated<number>
    at: number
    topic: string
    type: string
    subject: string
    labelsJson: string
    dataJson: string
  }
  webhook: {
    id: string
    name: string
    url: string
    secretSealed: string
    topicsJson: string
    enabled: number
    lastSeq: number
    createdAt: number
    version: number
  }
  delivery: {
    id: string
    webhookId: string
    eventSeq: number
    state: 'waiting' | 'delivered' | 'failed'
    attempts: number
    nextAt: number
    status: number | null
    error: string | null
    createdAt: number
    endedAt: number | null
  }
  alert: {
    id: string
    rule: string
    /** One open alert per key. */
    key: string
    severity: 'info' | 'warning' | 'critical'
    state: 'firing' | 'resolved'
    subject: string
    labelsJson: string
    /** Parameters of the texts of that rule; the texts themselves are in both languages. */
    paramsJson: string
    openedAt: number
    seenAt: number
    resolvedAt: number | null
    acknowledgedBy: string | null
    acknowledgedAt: number | null
  }
  /** Of a key, so that what comes again is silent too; over when `until` has passed. */
  alertSilence: {
    key: string
    until: number
    reason: string
    createdBy: string
    createdAt: number
  }
  channel: {
    id: string
    name: string
    kind: string
    configSealed: string
    enabled: number
    createdAt: number
    version: number
  }
  notifyRule: {
    id: string
    name: string
    /** Severities, rules, labels, time windows: NotifyMatch of packages/api. */
    matchJson: string
    channelsJson: string
    enabled: number
    version: number
  }
  notification: {
    id: string
    alertId: string
    channelId: string
    state: 'waiting' | 'sent' | 'failed'
    attempts: number
    nextAt: number
    error: string | null
  }
  /** Measured values over time, for forecast and anomaly: 'pool.used' of a pool, 'point.added'. */
  sample: { name: string; subject: string; at: number; value: number }

  /** Hash chain: `hash` = SHA-256 of the row's canonical JSON with `previousHash`. */
  audit: {
    seq: number
    at: number
    actor: string
    address: string
    action: string
    object: string
    labelsJson: string
    outcome: 'ok' | 'refused' | 'failed'
    requestId: string
    beforeJson: string | null
    afterJson: string | null
    reason: string | null
    previousHash: string
    hash: string
  }
  /** Answers to requests with an Idempotency-Key, kept for a day. */
  idempotency: {
    key: string
    actor: string
    route: string
    requestHash: string
    /** Null while the first request is on its way. */
    status: number | null
    headersJson: string | null
    body: string | null
    createdAt: number
  }
}
