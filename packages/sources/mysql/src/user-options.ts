/**
 * The options that users of an instance may choose. By a list of what is harmless: where it
 * stands, what files it touches, what it loads and who may come in is ours to say. Whole names
 * only: servers take any beginning of one that is clear, and words like `loose-` before it.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Options } from './server-options.ts'

/** Of MySQL 5.7 to 9 and MariaDB; `*` is any end of the name. */
const ALLOWED = // Connections and their limits.
  (
    'back-log connect-timeout idle-transaction-timeout idle-readonly-transaction-timeout ' +
    'idle-write-transaction-timeout interactive-timeout wait-timeout lock-wait-timeout ' +
    'net-buffer-length net-read-timeout net-write-timeout net-retry-count max-allowed-packet ' +
    'max-connections max-user-connections max-connect-errors max-execution-time ' +
    'max-statement-time max-prepared-stmt-count max-error-count max-sort-length ' +
    'max-length-for-sort-data max-join-size max-seeks-for-key max-sp-recursion-depth ' +
    'max-recursive-iterations cte-max-recursion-depth group-concat-max-len ssl ' +
    'thread-cache-size thread-handling thread-pool-size thread-pool-max-threads thread-stack ' +
    // Memory.
    'join-buffer-size join-buffer-space-limit join-cache-level sort-buffer-size ' +
    'read-buffer-size read-rnd-buffer-size mrr-buffer-size bulk-insert-buffer-size ' +
    'preload-buffer-size key-buffer-size key-cache-* max-heap-table-size tmp-table-size ' +
    'tmp-memory-table-size temptable-max-ram internal-tmp-mem-storage-engine big-tables ' +
    'large-pages open-files-limit table-open-cache table-open-cache-instances ' +
    'table-definition-cache schema-definition-cache stored-program-cache ' +
    'stored-program-definition-cache tablespace-definition-cache host-cache-size ' +
    'query-cache-* query-alloc-block-size query-prealloc-size range-alloc-block-size ' +
    'range-optimizer-max-mem-size transaction-alloc-block-size transaction-prealloc-size ' +
    'binlog-cache-size binlog-stmt-cache-size max-binlog-cache-size max-binlog-size ' +
    // InnoDB.
    'innodb-buffer-pool-size innodb-buffer-pool-instances innodb-buffer-pool-chunk-size ' +
    'innodb-log-buffer-size innodb-log-file-size innodb-log-files-in-group ' +
    'innodb-redo-log-capacity innodb-flush-log-at-trx-commit ' +
    'innodb-flush-log-at-timeout innodb-flush-neighbors innodb-flush-sync ' +
    'innodb-flushing-avg-loops innodb-io-capacity innodb-io-capacity-max ' +
    'innodb-lru-scan-depth innodb-max-dirty-pages-pct innodb-max-dirty-pages-pct-lwm ' +
    'innodb-adaptive-* innodb-change-buffering innodb-change-buffer-max-size ' +
    'innodb-concurrency-tickets innodb-thread-concurrency innodb-thread-sleep-delay ' +
    'innodb-commit-concurrency innodb-read-io-threads innodb-write-io-threads ' +
    'innodb-page-cleaners innodb-purge-threads innodb-purge-batch-size innodb-max-purge-lag ' +
    'innodb-max-purge-lag-delay innodb-lock-wait-timeout innodb-deadlock-detect ' +
    'innodb-print-all-deadlocks innodb-rollback-on-timeout innodb-autoinc-lock-mode ' +
    'innodb-old-blocks-pct innodb-old-blocks-time innodb-random-read-ahead ' +
    'innodb-read-ahead-threshold innodb-open-files innodb-file-per-table ' +
    'innodb-default-row-format innodb-strict-mode innodb-sort-buffer-size ' +
    'innodb-online-alter-log-max-size innodb-ddl-buffer-size innodb-ddl-threads ' +
    'innodb-parallel-read-threads innodb-stats-* innodb-status-output ' +
    'innodb-status-output-locks innodb-spin-wait-delay innodb-sync-spin-loops ' +
    'innodb-use-native-aio innodb-snapshot-isolation innodb-ft-cache-size ' +
    'innodb-ft-total-cache-size innodb-ft-min-token-size innodb-ft-max-token-size ' +
    'innodb-ft-enable-stopword innodb-ft-result-cache-limit innodb-ft-sort-pll-degree ' +
    'innodb-ft-num-word-optimize innodb-compression-level innodb-monitor-enable ' +
    // The optimizer, and the meaning of statements.
    'optimizer-* eq-range-index-dive-limit histogram-* use-stat-tables default-week-format ' +
    'div-precision-increment ft-min-word-len ft-max-word-len ft-query-expansion-limit ' +
    'sql-mode sql-require-primary-key sql-generate-invisible-primary-key ' +
    'sql-safe-updates sql-select-limit explicit-defaults-for-timestamp ' +
    'transaction-isolation transaction-read-only auto-increment-increment ' +
    'auto-increment-offset completion-type updatable-views-with-limit ' +
    'log-bin-trust-function-creators default-storage-engine default-tmp-storage-engine ' +
    'enforce-storage-engine character-set-server collation-server ' +
    'character-set-client-handshake default-time-zone lc-time-names low-priority-updates ' +
    'concurrent-insert delay-key-write event-scheduler ' +
    // Durability of its own, and what is told of statements.
    'sync-binlog binlog-row-image general-log slow-query-log log-slow-query log-output ' +
    'long-query-time log-slow-query-time min-examined-row-limit log-queries-not-using-indexes ' +
    'log-throttle-queries-not-using-indexes log-slow-admin-statements log-slow-extra ' +
    'log-slow-verbosity log-slow-rate-limit performance-schema performance-schema-* ' +
    'userstat profiling-history-size'
  ).split(' ')

const NAMES = new Set(ALLOWED.filter((each) => !each.endsWith('*')))
const BEGINNINGS = ALLOWED.filter((each) => each.endsWith('*')).map((each) => each.slice(0, -1))
/** Also below a beginning that is allowed: names of files, now or in a version to come. */
const FILE_LIKE = /(?:^|-)(?:file|filename|path|dirs?|directory|directories|library|cmd)$/

const REPLICATION = new RegExp(
  'slave|replica|^(?:rpl|relay|master|source|gtid|wsrep|group-repl|server-id|binlog|log-bin|' +
    'read-only)',
)
/** Why not, of the first that fits; the rest is not known to be harmless. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/plugin|library|udf|^init-|keyring|-cmd$|provider/, 'names what is run or loaded'],
  [
    /file|dir(?:s|ectory|ectories)?$|path$|^(?:innodb-data|log-|tmp|relay-log|chroot|socket)/,
    'names files',
  ],
  [REPLICATION, 'is of replication, which OpenMaaS sets'],
  [
    /grant|^(?:(?:skip|extra|admin|mysqlx|report)-|port$|bind|user$|socket|ssl|tls|auth)/,
    'decides who comes in',
  ],
]

function whyRefused(option: string): string | null {
  if (!SETTING_NAME.test(option)) return 'is no option of the server'
  if (NAMES.has(option)) return null
  const begins = BEGINNINGS.some((each) => option.startsWith(each) && option !== each)
  if (begins && !FILE_LIKE.test(option)) return null
  const reason = REASONS.find(([pattern]) => pattern.test(option))?.[1]
  return reason ?? 'is not among the options that an instance takes'
}

const SETTING_NAME = /^[a-z][a-z0-9_-]{0,63}$/
/** An order holds no more than this. */
const SETTINGS_MAX = 200
/** Nobody reads about all of them. */
const MESSAGE_MAX = 1000

/**
 * At each start, so that those of an older version are looked at too.
 *
 * @throws MaasError CONFIG_INVALID naming those that are not to be set, and why
 */
export function checkSettings(settings: Readonly<Record<string, string>>): Options {
  const options: Record<string, string> = {}
  const refused: { readonly name: string; readonly why: string }[] = []
  for (const [name, value] of Object.entries(settings)) {
    const option = name.toLowerCase().replaceAll('_', '-')
    const lines = /[\0\r\n]/.test(value)
    const many = Object.keys(options).length >= SETTINGS_MAX
    const why = lines ? 'has a value of several lines' : whyRefused(option)
    if (why !== null) refused.push({ name: name.slice(0, 64), why })
    else if (many) refused.push({ name: name.slice(0, 64), why: 'is one too many' })
    else options[option] = value
  }
  const [first] = refused
  if (first === undefined) return options
  const told = refused.map(({ name, why }) => `the setting "${name}" ${why}`).join('; ')
  const message = `${told}: not to be set on an instance`.slice(0, MESSAGE_MAX)
  throw new MaasError('CONFIG_INVALID', message, { setting: first.name })
}
