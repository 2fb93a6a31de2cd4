/** Tables of the load: those of pgbench, and a history whose numbers are the order of commits. */
import { createHash } from 'node:crypto'
import type { Queries } from '@openmaas/source-postgres/connection'

/** As pgbench has it. */
export const ACCOUNTS_PER_SCALE = 100_000

export const SCHEMA = [
  `create table soak_counter (one int primary key, seq bigint not null, total bigint not null)`,
  `insert into soak_counter values (1, 0, 0)`,
  `create table soak_history (seq bigint primary key, key bigint unique, aid int, delta int,
     filler text default repeat('x', 60), at timestamptz default clock_timestamp())`,
  `create function soak_step(_key bigint, _aid int, _delta int, out seq bigint, out xid text)
     language plpgsql as $$
     begin
       update pgbench_accounts set abalance = abalance + _delta where aid = _aid;
       update pgbench_tellers set tbalance = tbalance + _delta where tid = 1 + _aid % 10;
       update soak_counter c set seq = c.seq + 1, total = c.total + _delta
         where one = 1 returning c.seq into soak_step.seq;
       insert into soak_history (seq, key, aid, delta) values (soak_step.seq, _key, _aid, _delta);
       xid := pg_current_xact_id()::text;
     end $$`,
]

/** What a database shows of the load; equal for equal prefixes of the history. */
export interface Content {
  readonly count: number
  readonly last: number
  /** Sums over the history, of the counter, and of all accounts. */
  readonly sums: readonly [number, number, number]
  readonly digest: string
}

const CONTENT = `
  select count(*)::text as count, coalesce(max(seq), 0)::text as last,
         coalesce(sum(delta), 0)::text as deltas,
         (select total::text from soak_counter) as total,
         (select sum(abalance)::text from pgbench_accounts) as balances,
         md5(coalesce(string_agg(seq || ':' || aid || ':' || delta, ',' order by seq), ''))
           as digest
    from soak_history`

export async function readContent(queries: Queries): Promise<Content> {
  const [row] = await queries.rows(CONTENT)
  const number = (name: string): number => Number(row![name])
  return {
    count: number('count'),
    last: number('last'),
    sums: [number('deltas'), number('total'), number('balances')],
    digest: String(row!['digest']),
  }
}

export function contentOf(
  steps: readonly { readonly seq: number; readonly aid: number; readonly delta: number }[],
): Content {
  const sum = steps.reduce((before, { delta }) => before + delta, 0)
  const text = steps.map(({ seq, aid, delta }) => `${seq}:${aid}:${delta}`).join(',')
  return {
    count: steps.length,
    last: steps.at(-1)?.seq ?? 0,
    sums: [sum, sum, sum],
    digest: createHash('md5').update(text).digest('hex'),
  }
}
