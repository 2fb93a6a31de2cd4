/**
 * Every series that /metrics shows. The names are fixed (docs/monitoring/metrics.md): dashboards
 * and alert rules of others stand on them. A point's id is never a label.
 */
import { Counter, Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'

/** Seconds: from a capture of nothing new to a full one of a day. */
const JOB_BUCKETS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400]
/** Seconds: a medium is promised within three. */
const MOUNT_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60]

const source = ['source'] as const
const pool = ['pool', 'name'] as const
const host = ['host', 'name', 'role'] as const

const GAUGES = {
  sourceInfo: [
    'openmaas_source_info',
    'Name and host of a source, always 1',
    ['source', 'name', 'host'],
  ],
  lastSuccess: [
    'openmaas_source_last_success_timestamp_seconds',
    'When the newest recovery point was taken',
    source,
  ],
  lastSize: ['openmaas_source_last_size_bytes', 'Bytes that the newest point shows', source],
  pointCount: ['openmaas_source_recovery_point_count', 'Recovery points available', source],
  oldestPoint: [
    'openmaas_source_oldest_point_timestamp_seconds',
    'When the oldest available point was taken',
    source,
  ],
  newestPoint: [
    'openmaas_source_newest_point_timestamp_seconds',
    'When the newest available point was taken',
    source,
  ],
  slaCompliant: [
    'openmaas_source_sla_compliant',
    'Whether a promise of the policy is kept (1) or not (0)',
    ['source', 'rule'],
  ],
  unprotected: [
    'openmaas_sources_unprotected',
    'Sources that no policy holds for, or that have no point yet',
    [],
  ],
  drillSuccess: [
    'openmaas_drill_last_success_timestamp_seconds',
    'When a drill last succeeded',
    source,
  ],
  drillRto: ['openmaas_drill_rto_seconds', 'How long the last successful drill took', source],
  jobsRunning: ['openmaas_jobs_running', 'Jobs that run now', ['kind']],
  poolSize: ['openmaas_pool_size_bytes', 'Size of the file systems below a pool', pool],
  poolUsed: ['openmaas_pool_used_bytes', 'Bytes of them in use', pool],
  poolLogical: ['openmaas_pool_logical_bytes', 'Bytes that all points together show', pool],
  poolPhysical: ['openmaas_pool_physical_bytes', 'Bytes of the live packs', pool],
  poolRatio: ['openmaas_pool_dedup_ratio', 'Logical by physical bytes', pool],
  poolDays: ['openmaas_pool_days_to_full', 'By the forecast; absent when it does not grow', pool],
  standbyLag: [
    'openmaas_standby_lag_seconds',
    'How far the standby of a database is behind production',
    source,
  ],
  standbyRetained: [
    'openmaas_standby_retained_bytes',
    'Log that production keeps for the standby alone',
    source,
  ],
  standbyFollowing: ['openmaas_standby_following', 'Whether the standby follows', source],
  virtualDatabases: ['openmaas_virtual_databases', 'Virtual databases that there are', ['state']],
  mountsActive: ['openmaas_mounts_active', 'Media that are plugged', []],
  agentUp: ['openmaas_agent_up', 'Whether an agent or node is connected', host],
  agentExpiry: [
    'openmaas_agent_cert_expiry_timestamp_seconds',
    'When the certificate of an agent or node expires',
    host,
  ],
  archiveLag: [
    'openmaas_archive_lag_seconds',
    'Age of the oldest point that waits for its copy',
    source,
  ],
  alertsFiring: ['openmaas_alerts_firing', 'Alerts that are open', ['severity']],
} as const satisfies Record<string, readonly [string, string, readonly string[]]>

type Gauges = { readonly [K in keyof typeof GAUGES]: Gauge }

export interface Series extends Gauges {
  readonly badBlocks: Counter
  readonly jobDuration: Histogram
  readonly mountReady: Histogram
  readonly virtualDatabaseReady: Histogram
}

export function makeSeries(registry: Registry): Series {
  const registers = [registry]
  const gauges = Object.entries(GAUGES).map(([key, [name, help, labelNames]]) => {
    return [key, new Gauge({ name, help, labelNames, registers })]
  })
  return {
    ...(Object.fromEntries(gauges) as Gauges),
    badBlocks: new Counter({
      name: 'openmaas_pool_bad_blocks_total',
      help: 'Damaged places that reading has found',
      labelNames: pool,
      registers,
    }),
    jobDuration: new Histogram({
      name: 'openmaas_job_duration_seconds',
      help: 'Jobs that ended, by how long they ran',
      labelNames: ['kind', 'result'],
      buckets: JOB_BUCKETS,
      registers,
    }),
    virtualDatabaseReady: new Histogram({
      name: 'openmaas_virtual_database_ready_seconds',
      help: 'From the request to the virtual database being ready',
      buckets: MOUNT_BUCKETS,
      registers,
    }),
    mountReady: new Histogram({
      name: 'openmaas_mount_ready_seconds',
      help: 'From the request to the medium being there',
      buckets: MOUNT_BUCKETS,
      registers,
    }),
  }
}
