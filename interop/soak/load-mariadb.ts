/**
 * The load's transactions on MariaDB. Its log tells whole seconds, those in which a statement of
 * the transaction began: so the counter is locked before the last statement, and that one writes
 * down when it began itself.
 */
import { parseMariadbPosition } from '@openmaas/source-mysql/gtid'
import { Session } from '@openmaas/source-mysql/session'
import type { Dial } from './load-session.ts'

/** A commit that waits for a standby ends some time; one that was given up may still happen. */
const STATEMENT_MS = 900_000

const STEPS = {
  account: 'UPDATE shop.soak_accounts SET abalance = abalance + ? WHERE aid = ?',
  teller: 'UPDATE shop.soak_tellers SET tbalance = tbalance + ? WHERE tid = 1 + ? % 10',
  counter:
    'UPDATE shop.soak_counter SET seq = LAST_INSERT_ID(seq + 1), total = total + ? WHERE one = 1',
  history: `
    INSERT INTO shop.soak_history (seq, id, aid, delta, at_ms)
    VALUES (LAST_INSERT_ID(), ?, ?, ?, UNIX_TIMESTAMP(NOW(6)) * 1000) RETURNING seq`,
}
const FIND = `
  SELECT seq, at_ms, UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS end_ms, @@last_gtid AS gtid,
         @@global.gtid_binlog_pos AS position
    FROM shop.soak_history WHERE id = ?`

export const dialMariadb: Dial = async ({ socket }, work) => {
  await using session = await Session.open('production', { socketPath: socket, user: 'root' })
  const run = (sql: string, ...values: number[]): Promise<readonly Row[]> =>
    session.rows(sql, values.map(String), STATEMENT_MS)
  await work({
    async step({ key, aid, delta }) {
      await run('START TRANSACTION')
      await run(STEPS.account, delta, aid)
      await run(STEPS.teller, delta, aid)
      await run(STEPS.counter, delta)
      const [row] = await run(STEPS.history, key, aid, delta)
      await run('COMMIT')
      return Number(row!['seq'])
    },
    async find(key) {
      const [row] = await run(FIND, key)
      if (row === undefined) return null
      // Of this session's last transaction; one that another session made has no name any more.
      const gtid = row['gtid'] ?? ''
      return {
        seq: Number(row['seq']),
        transaction: gtid === '' ? null : gtid,
        beginMs: Number(row['at_ms']),
        endMs: Number(row['end_ms']),
        place: String(sequenceOf(gtid === '' ? (row['position'] ?? '') : gtid)),
      }
    },
  })
}

type Row = Readonly<Record<string, string | null>>

/** The last number of the only domain that the load writes to; 0 of an empty position. */
export function sequenceOf(position: string): bigint {
  return parseMariadbPosition(position).get(0)?.sequence ?? 0n
}
