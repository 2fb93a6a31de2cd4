/** The load's transactions on PostgreSQL: a function of the schema, committed by itself. */
import { withConnection } from '@openmaas/source-postgres/connection'
import { lsn } from '@openmaas/source-postgres/lsn'
import type { Dial } from './load-session.ts'

/** Of two commits this near a time, the clock does not tell which one comes first. */
const CLOCK_MS = 2

const STEP = 'select soak_step($1, $2, $3)::text'
const FIND = `
  select seq::text, xmin::text as xid, pg_current_wal_insert_lsn()::text as lsn,
         extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as at_ms
    from soak_history where key = $1`

export const dialPostgres: Dial = ({ socket, port }, work) => {
  const owner = { host: socket, port, user: 'boss', password: null, tls: 'off', ca: null } as const
  return withConnection(owner, (queries) =>
    work({
      step: async ({ key, aid, delta }) => Number(await queries.value(STEP, [key, aid, delta])),
      find: async (key) => {
        const [row] = await queries.rows(FIND, [key])
        if (row === undefined) return null
        const atMs = Number(row['at_ms'])
        return {
          seq: Number(row['seq']),
          transaction: String(row['xid']),
          beginMs: atMs - CLOCK_MS,
          endMs: atMs + CLOCK_MS,
          place: String(lsn(String(row['lsn']))),
        }
      },
    }),
  )
}
