/**
 * Checks of an instance that runs: every page read and its checksum compared, every table and
 * B-tree looked through by pg_amcheck, and what users assert in SQL. Each is reported, also after
 * one that failed.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { runProgram } from '@openmaas/source-kit/run-program'
import { withConnection } from './connection.ts'
import { localConnection, type Place, placeOf, type PostgresOptions } from './place.ts'
import { Programs } from './programs.ts'
import { loadState, type PostgresState } from './state.ts'

type VerifyParams = DatabaseParams<'database.verify'>
type Outcome = DatabaseResult<'database.verify'>['checks'][number]

/** Of what a program said, in the evidence. */
const EVIDENCE_MAX = 2000
/** As the order has it. */
const NAME_MAX = 1000

interface Verification {
  readonly params: VerifyParams
  readonly context: PluginContext
  readonly place: Place
  readonly programs: Programs
  readonly state: PostgresState
}

export async function verify(
  params: VerifyParams,
  context: PluginContext,
  options: PostgresOptions,
): Promise<DatabaseResult<'database.verify'>> {
  const place = placeOf(params, options)
  const state = loadState(place.layout)
  const programs = new Programs(state.major, place.programs)
  const job = { params, context, place, programs, state }
  const checks = [
    await timed('checksums', context.signal, () => readEveryPage(job)),
    await timed('structure', context.signal, () => checkStructure(job)),
  ]
  for (const assertion of params.assertions) {
    const name = `${assertion.database}: ${assertion.sql}`.slice(0, NAME_MAX)
    checks.push(await timed(name, context.signal, () => assertTrue(job, assertion)))
  }
  return { ok: checks.every((one) => one.ok), checks }
}

/** @param work  its evidence; what it throws is the evidence of a failure */
async function timed(
  name: string,
  signal: AbortSignal,
  work: () => Promise<string>,
): Promise<Outcome> {
  const begun = performance.now()
  const took = (): number => Math.round(performance.now() - begun)
  try {
    return { name, ok: true, evidence: await work(), tookMs: took() }
  } catch (error) {
    if (signal.aborted || !(error instanceof MaasError)) throw error
    const said = error.details['stderr']
    const evidence = typeof said === 'string' && said !== '' ? said : error.message
    return { name, ok: false, evidence: evidence.slice(-EVIDENCE_MAX), tookMs: took() }
  }
}

/**
 * A base backup to nowhere reads every file and compares the checksum of every page, whatever
 * kind of index it belongs to. The server does not send what it read.
 */
async function readEveryPage({
  place,
  programs,
  state,
  params,
  context,
}: Verification): Promise<string> {
  const local = localConnection(place, state.superuser, params.port)
  const checksums = await withConnection(local, (queries) => queries.value('show data_checksums'))
  if (checksums !== 'on') return 'the database has no page checksums; nothing to compare'
  if (programs.major < 15) return 'PostgreSQL before 15 cannot read all pages without sending them'
  const command = [programs.path('pg_basebackup'), '--target', 'blackhole', '-X', 'none']
  command.push('--checkpoint', 'fast', '--no-password', '--no-manifest')
  command.push('-h', local.host, '-p', String(local.port), '-U', local.user)
  // As whom the agent runs: the server's own user is let in as nobody.
  await runProgram(command, { user: null, signal: context.signal, timeoutMs: null })
  return 'every page was read, and its checksum is right'
}

async function checkStructure(job: Verification): Promise<string> {
  const { place, programs, state, params, context } = job
  if (!programs.has('pg_amcheck')) return 'pg_amcheck is not installed on this host: not checked'
  const local = localConnection(place, state.superuser, params.port)
  const command = [programs.path('pg_amcheck'), '--all', '--install-missing', '--heapallindexed']
  command.push('--no-password', '-h', local.host, '-p', String(local.port), '-U', local.user)
  // As whom the agent runs: the server's own user is let in as nobody.
  await runProgram(command, { user: null, signal: context.signal, timeoutMs: null })
  return 'pg_amcheck found every table and B-tree in order'
}

async function assertTrue(
  { params, place }: Verification,
  { database, sql }: VerifyParams['assertions'][number],
): Promise<string> {
  const { port, user, password } = params
  // As its administrator with the password: so that is tried as well. The server is on this host.
  const connection = { ...localConnection(place, user, port), password, searchPath: null }
  const rows = await withConnection(connection, (queries) => queries.rows(sql), database)
  const values = rows.map((row) => Object.values(row))
  if (values.length === 1 && values[0]!.length === 1 && values[0]![0] === true) return 'true'
  const answer = JSON.stringify(values).slice(0, EVIDENCE_MAX)
  throw new MaasError('DATABASE_PROGRAM_FAILED', `the assertion answered ${answer}`, {})
}
