/**
 * The settings that users of an instance may choose. By a list of what is harmless: the server
 * runs as the user of all servers of this host, who could unlink, read and run whatever a setting
 * names, and we come in as its superuser, whose words must keep their meaning.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { ServerSettings } from './server-settings.ts'

/** Of PostgreSQL 10 to 18, in the order of its manual; `*` is any end of the name. */
const ALLOWED = // Connections and their limits.
  (
    'max_connections max_prepared_transactions max_locks_per_transaction ' +
    'max_pred_locks_per_transaction max_pred_locks_per_relation max_pred_locks_per_page ' +
    'authentication_timeout client_connection_check_interval tcp_keepalives_* tcp_user_timeout ' +
    'statement_timeout transaction_timeout lock_timeout deadlock_timeout idle_session_timeout ' +
    'idle_in_transaction_session_timeout ' +
    // Memory and room.
    'shared_buffers huge_pages huge_page_size temp_buffers work_mem hash_mem_multiplier ' +
    'maintenance_work_mem logical_decoding_work_mem max_stack_depth min_dynamic_shared_memory ' +
    'commit_timestamp_buffers multixact_member_buffers multixact_offset_buffers notify_buffers ' +
    'serializable_buffers subtransaction_buffers transaction_buffers temp_file_limit ' +
    'max_files_per_process max_notify_queue_pages ' +
    // Background work, parallelism and input.
    'vacuum_cost_* vacuum_freeze_* vacuum_multixact_* vacuum_failsafe_age ' +
    'vacuum_buffer_usage_limit vacuum_truncate vacuum_max_eager_freeze_failure_rate autovacuum ' +
    'autovacuum_* bgwriter_* backend_flush_after effective_io_concurrency ' +
    'maintenance_io_concurrency io_combine_limit io_max_combine_limit io_max_concurrency ' +
    'max_worker_processes max_parallel_workers max_parallel_workers_per_gather ' +
    'max_parallel_maintenance_workers parallel_leader_participation old_snapshot_threshold ' +
    // The log of changes.
    'synchronous_commit wal_log_hints wal_compression wal_buffers ' +
    'wal_writer_delay wal_writer_flush_after wal_skip_threshold commit_delay commit_siblings ' +
    'checkpoint_* max_wal_size min_wal_size track_commit_timestamp ' +
    // The planner.
    'enable_* seq_page_cost random_page_cost cpu_tuple_cost cpu_index_tuple_cost ' +
    'cpu_operator_cost parallel_setup_cost parallel_tuple_cost min_parallel_table_scan_size ' +
    'min_parallel_index_scan_size effective_cache_size geqo geqo_* default_statistics_target ' +
    'constraint_exclusion cursor_tuple_fraction from_collapse_limit join_collapse_limit ' +
    'plan_cache_mode recursive_worktable_factor force_parallel_mode debug_parallel_query jit ' +
    'jit_above_cost jit_inline_above_cost jit_optimize_above_cost ' +
    // What is told of statements.
    'log_statement log_duration log_min_duration_statement log_min_duration_sample ' +
    'log_statement_sample_rate log_transaction_sample_rate log_parameter_max_length ' +
    'log_parameter_max_length_on_error log_autovacuum_min_duration log_lock_waits ' +
    'log_temp_files track_* compute_query_id stats_fetch_consistency update_process_title ' +
    // Sessions.
    'datestyle intervalstyle timezone extra_float_digits lc_monetary lc_numeric lc_time ' +
    'default_text_search_config bytea_output xmlbinary xmloption default_transaction_isolation ' +
    'default_transaction_deferrable default_toast_compression check_function_bodies ' +
    'gin_fuzzy_search_limit gin_pending_list_limit synchronize_seqscans ' +
    // Extensions that neither run nor read what their settings name.
    'auto_explain.* pg_stat_statements.* pg_trgm.* plpgsql.* pg_hint_plan.* pgaudit.* hnsw.* ' +
    'ivfflat.*'
  ).split(' ')

const NAMES = new Set(ALLOWED.filter((each) => !each.endsWith('*')))
const BEGINNINGS = ALLOWED.filter((each) => each.endsWith('*')).map((each) => each.slice(0, -1))

const REPLICATION = new RegExp(
  '^(?:restore|recovery|archive|primary|promote|hot_standby|standby|synchronous_standby|wal_|' +
    'max_wal_s|max_repl|max_slot|max_standby|max_logical|max_sync|sync_repl|summarize|' +
    'cluster_name|vacuum_defer|session_repl)',
)
/** Why not, of the first that fits; the rest is not known to be harmless. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /(?:command|librar(?:y|ies)|provider|library_path|control_path)$|^plperl|^pltcl|^plv8/,
    'names what is run',
  ],
  [/(?:file|filename|directory|directories|dir)$|tablespaces?$/, 'names files'],
  [/^(?:listen|port$|unix|ssl|krb|gss|bonjour|ldap|oauth|hba|ident)/, 'decides who comes in'],
  [REPLICATION, 'is of recovery and replication, which OpenMaaS sets'],
  [
    /^(?:fsync|full_page|data_sync|zero_damaged|ignore_)/,
    'decides whether a point can be recovered',
  ],
  [/^(?:log|syslog|event_source|lc_messages)/, 'is of the log that OpenMaaS reads'],
  [/\./, 'is of an extension whose settings are not known to be harmless'],
]

function whyRefused(name: string): string | null {
  if (!/^[a-z][a-z0-9_.]{0,99}$/i.test(name)) return 'is no setting of PostgreSQL'
  // The server takes either case.
  const lower = name.toLowerCase()
  if (NAMES.has(lower)) return null
  if (BEGINNINGS.some((each) => lower.startsWith(each) && lower !== each)) return null
  const reason = REASONS.find(([pattern]) => pattern.test(lower))?.[1]
  return reason ?? 'is not among the settings that an instance takes'
}

/**
 * Settings of an instance, as its user wants them. At each start, so that those of an older
 * version are looked at too.
 *
 * @throws MaasError CONFIG_INVALID naming those that are refused, and why
 */
export function checkUserSettings(settings: ServerSettings): ServerSettings {
  const refused = Object.entries(settings).flatMap(([name, value]) => {
    const why = /[\0\r\n]/.test(value) ? 'has a value of several lines' : whyRefused(name)
    return why === null ? [] : [{ name: name.slice(0, 64), why }]
  })
  const [first] = refused
  if (first === undefined) return settings
  const message = refused.map(({ name, why }) => `the setting "${name}" ${why}`).join('; ')
  throw new MaasError('CONFIG_INVALID', message.slice(0, MESSAGE_MAX), { name: first.name })
}

/** An order brings hundreds of them at the most; nobody reads about all. */
const MESSAGE_MAX = 1000
