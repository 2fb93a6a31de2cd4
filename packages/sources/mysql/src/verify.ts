/** Checks of an instance that runs: each table by the engine, and the user's own questions. */
import { existsSync } from 'node:fs'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { socketOf } from './server-options.ts'
import { Session } from './session.ts'
import { listTables } from './tables.ts'
import { layoutOf } from './volume.ts'
import type { PluginOptions } from './volume.ts'

type Params = DatabaseParams<'database.verify'>
type Result = DatabaseResult<'database.verify'>
type Check = Result['checks'][number]

/** A table of a terabyte takes hours. */
const CHECK_MS = 24 * 3_600_000
/** Of an answer, as evidence. */
const EVIDENCE_MAX = 1000
/** An order's answer holds no more: the rest is one line. */
const CHECKS_MAX = 9000

export async function verify(
  params: Params,
  { signal }: PluginContext,
  options: PluginOptions,
): Promise<Result> {
  const { port, user, password } = params
  // By its socket, as it need not listen on the loopback address.
  const socketPath = socketOf(layoutOf(params, options))
  const where = existsSync(socketPath) ? { socketPath } : { host: '127.0.0.1', port }
  await using session = await Session.open('the instance', { ...where, user, password })
  const cancel = (): void => session.destroy()
  signal.addEventListener('abort', cancel)
  try {
    const checks = [...(await checkTables(session, signal)), ...(await ask(session, params))]
    return { ok: checks.every(({ ok }) => ok), checks }
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

async function checkTables(session: Session, signal: AbortSignal): Promise<Check[]> {
  const tables = await listTables(session, true)
  const checks: Check[] = []
  let unlisted = 0
  for (const { schema, name } of tables) {
    if (signal.aborted) throw new MaasError('CANCELLED', 'the check was cancelled', {})
    const began = performance.now()
    const rows = await session.rows(
      `CHECK TABLE ${identifier(schema)}.${identifier(name)}`,
      [],
      CHECK_MS,
    )
    // One row a finding; the last says "status" and "OK", or what is wrong.
    const bad = rows.filter((row) => row['Msg_type'] === 'error' || row['Msg_type'] === 'warning')
    const last = rows.at(-1)
    const ok = bad.length === 0 && last?.['Msg_type'] === 'status' && last['Msg_text'] === 'OK'
    const evidence = rows.map((row) => `${row['Msg_type']}: ${row['Msg_text']}`).join('; ')
    if (ok && checks.length >= CHECKS_MAX) unlisted += 1
    else checks.push(checkOf(`CHECK TABLE ${schema}.${name}`, ok, evidence, began))
  }
  if (unlisted > 0) {
    checks.push({ name: 'CHECK TABLE', ok: true, evidence: `${unlisted} more: OK`, tookMs: 0 })
  }
  return checks.slice(-CHECKS_MAX - 1)
}

async function ask(session: Session, { assertions }: Params): Promise<Check[]> {
  const checks: Check[] = []
  for (const { database, sql } of assertions) {
    const began = performance.now()
    try {
      await session.run(`USE ${identifier(database)}`)
      const rows = await session.rows(sql, [], CHECK_MS)
      const values = Object.values(rows[0] ?? {})
      const single = rows.length === 1 && values.length === 1
      const evidence = single
        ? `${values[0] ?? 'NULL'}`
        : `${rows.length} rows of ${values.length} columns`
      checks.push(checkOf(sql, single && isTrue(values[0]), evidence, began))
    } catch (error) {
      // A question that the database refuses is answered: with no.
      if (!isMaasError(error, 'DATABASE_REFUSED') && !isMaasError(error, 'DATABASE_DENIED'))
        throw error
      checks.push(checkOf(sql, false, error.message, began))
    }
  }
  return checks
}

function checkOf(name: string, ok: boolean, evidence: string, began: number): Check {
  return {
    name: name.slice(0, EVIDENCE_MAX),
    ok,
    evidence: evidence.slice(0, EVIDENCE_MAX),
    tookMs: Math.round(performance.now() - began),
  }
}

/** As SQL has it: a number that is not zero. */
function isTrue(value: string | null | undefined): boolean {
  if (value === null || value === undefined) return false
  return (
    /^true$/i.test(value) ||
    (value.trim() !== '' && Number(value) !== 0 && !Number.isNaN(Number(value)))
  )
}

export function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
