/**
 * A large site, written into the catalog of a server that stands still: 10,000 sources and 100,000
 * jobs, made by the database itself in a second.
 */
import { DatabaseSync } from 'node:sqlite'

export const SOURCE_COUNT = 10_000
export const JOB_COUNT = 100_000

/** Ids of any kind end in 24 digits here: a ULID of long ago. */
const ID_DIGITS = 24

/** @param path  catalog.db of a server that does not run */
export function seedLargeSite(path: string): void {
  const catalog = new DatabaseSync(path)
  try {
    const now = Date.now()
    const numbers = (count: number): string =>
      `with recursive number(n) as (select 0 union all select n + 1 from number where n < ${count - 1})`
    const id = (prefix: string, n: string): string =>
      `'${prefix}_01' || printf('%0${ID_DIGITS}d', ${n})`
    catalog.exec('begin')
    // Not old: what nobody protects for long is an alert.
    catalog.exec(`insert into source (id, name, host_id, kind, path, options_json, labels_json, policy_id,
        pool_id, paused, last_success_at, last_point_id, created_at, version)
      ${numbers(SOURCE_COUNT)}
      select ${id('src', 'n')}, printf('site-%05d', n), (select min(id) from host where kind = 'agent'),
        case when n % 2 = 0 then 'files' else 'disk' end, '/srv/' || n, '{}',
        '{"team":"t' || (n % 7) || '"}', null, null, n % 2, null, null, ${now}, 1 from number`)
    catalog.exec(`insert into job (id, kind, state, phase, priority, source_id, host_id, actor, labels_json,
        params_json, progress_json, attempt, attempt_max, not_before, queued_at, started_at, ended_at, claim_token)
      ${numbers(JOB_COUNT)}
      select ${id('job', 'n')}, case when n % 10 = 0 then 'verify' else 'protect' end,
        case when n % 50 = 0 then 'failed' else 'succeeded' end, '', 0,
        ${id('src', `n % ${SOURCE_COUNT}`)}, (select min(id) from host where kind = 'agent'), 'system', '{}',
        '{}', '{}', 1, 1, 0, at, at + 100, at + 60000, 1
      from (select n, ${now} - 20000 * (${JOB_COUNT} - n) as at from number)`)
    catalog.exec('commit')
  } finally {
    catalog.close()
  }
}

/** @returns how SQLite finds the rows of a list: `SEARCH job USING INDEX …` */
export function explain(path: string, sql: string): string {
  const catalog = new DatabaseSync(path, { readOnly: true })
  try {
    const rows = catalog.prepare(`explain query plan ${sql}`).all() as { readonly detail: string }[]
    return rows.map(({ detail }) => detail).join('; ')
  } finally {
    catalog.close()
  }
}
