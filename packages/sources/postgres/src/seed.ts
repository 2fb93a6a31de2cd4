/**
 * The physical copy, once: pg_basebackup onto the volume, while the slot keeps the log.
 *
 * An interrupted copy is begun again: a base backup has no middle to go on from.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { directorySize, reportGrowth } from '@openmaas/source-kit/growing-directory'
import { makeLayout, ownDirectory, syncDirectory } from '@openmaas/source-kit/layout'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { runProgram } from '@openmaas/source-kit/run-program'
import { findServer, stopServer } from '@openmaas/source-kit/server-process'
import { type Queries, withConnection, writeConnectionString } from './connection.ts'
import { readControlData } from './control-data.ts'
import { type Place, type PostgresOptions, placeOf, slotName } from './place.ts'
import { Programs } from './programs.ts'
import { describeProduction, type Production } from './production.ts'
import { createSlot, dropSlot, readSlot } from './slot.ts'
import { STOP_MS } from './standby.ts'
import { findState, type PostgresState, saveState } from './state.ts'

/** pg_basebackup takes 32 KB/s to 1 GB/s. */
const RATE_MIN_KB = 32
const RATE_MAX_KB = 1_048_576
/** A walsender of a copy that was just ended lets go of the slot when it next writes. */
const SLOT_FREE_MS = 30_000
const SLOT_POLL_MS = 200

export async function seed(
  params: DatabaseParams<'database.seed'>,
  context: PluginContext,
  options: PostgresOptions,
): Promise<DatabaseResult<'database.seed'>> {
  const place = placeOf(params, options)
  const done = findState(place.layout)
  const { renew = null } = params
  const isWanted = renew === null || done?.seedRequest === renew
  if (done !== null && done.phase !== 'seeding' && isWanted) return await report(place, done)
  if (renew !== null) await stopServer(place.server, { signal: 'SIGQUIT', timeoutMs: STOP_MS })
  if (findServer(place.server) !== null) {
    const message = 'a server runs on the volume that is to be seeded'
    throw new MaasError('DATABASE_RUNNING', message, { directory: params.directory })
  }
  const { connection } = params
  const slot = slotName(params.id)
  const production = await withConnection(connection, async (queries) => {
    const described = await describeProduction(queries)
    // Refused before anything is changed on production.
    const programs = new Programs(described.major, place.programs)
    await renewSlot(queries, slot, context.signal)
    return { ...described, programs }
  })
  const { programs } = production
  makeLayout(place.layout, place.user, 'agent')
  const state: PostgresState = { ...firstState(production, slot), seedRequest: renew }
  saveState(place.layout, state)
  emptyDirectories(place)
  await copy({ place, programs, production, slot, params }, context)
  settleCopy(place)
  const control = await readControlData(programs, place.layout.data, place.user)
  if (control.systemIdentifier !== production.systemIdentifier) {
    const message = 'the copy is of another database than the one that was asked'
    throw new MaasError('DATABASE_CHAIN_BROKEN', message, { copied: control.systemIdentifier })
  }
  await syncVolume(programs, place)
  const seeded: PostgresState = { ...state, phase: 'seeded', segmentSize: control.segmentSize }
  saveState(place.layout, seeded)
  return await report(place, seeded)
}

function firstState(production: Production, slot: string): PostgresState {
  return {
    engine: 'postgres',
    format: 1,
    phase: 'seeding',
    version: production.version,
    major: production.major,
    systemIdentifier: production.systemIdentifier,
    segmentSize: production.segmentSize,
    superuser: production.superuser,
    slot,
    marks: [],
    givenUp: null,
    logCutAtMs: null,
    seedRequest: null,
    retainedLimitBytes: null,
    productionSettings: {},
    instance: null,
  }
}

/** A slot of an earlier try has kept log that this copy does not need. */
async function renewSlot(queries: Queries, name: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + SLOT_FREE_MS
  while ((await readSlot(queries, name)) !== null && !(await dropSlot(queries, name))) {
    if (performance.now() > deadline || signal.aborted) {
      const message = `the replication slot ${name} is in use by another standby`
      throw new MaasError('DATABASE_UNFIT', message, { slot: name })
    }
    await delay(SLOT_POLL_MS)
  }
  await createSlot(queries, name)
}

function emptyDirectories(place: Place): void {
  for (const path of [place.layout.data, place.layout.log, place.tablespaces]) {
    rmSync(path, { recursive: true, force: true })
  }
  ownDirectory(place.layout.log, place.user)
  ownDirectory(place.layout.data, place.user)
}

interface Copy {
  readonly place: Place
  readonly programs: Programs
  readonly production: Production
  readonly slot: string
  readonly params: DatabaseParams<'database.seed'>
}

async function copy(job: Copy, context: PluginContext): Promise<void> {
  const { place, programs, production, slot, params } = job
  const { layout, user } = place
  const command = [programs.path('pg_basebackup'), '-D', layout.data, '-X', 'stream', '-S', slot]
  command.push('--no-password', '--no-sync', '--label', `openmaas ${params.id}`)
  // A throttled copy is one that production should not feel: then its checkpoint is spread too.
  command.push('--checkpoint', params.bytesPerSecond === null ? 'fast' : 'spread')
  if (params.bytesPerSecond !== null) {
    const rate = Math.round(params.bytesPerSecond / 1024)
    command.push('--max-rate', `${Math.min(RATE_MAX_KB, Math.max(RATE_MIN_KB, rate))}k`)
  }
  if (production.tablespaces.length > 0) ownDirectory(place.tablespaces, user)
  for (const { oid, location } of production.tablespaces) {
    const target = join(place.tablespaces, oid)
    ownDirectory(target, user)
    command.push('-T', `${escapeMapping(location)}=${escapeMapping(target)}`)
  }
  const conninfo = writeConnectionString(layout, user, params.connection, 'production')
  command.push('-d', conninfo)
  await reportGrowth(
    { directory: layout.directory, phase: 'copy', bytesTotal: production.sizeBytes },
    context,
    () => runProgram(command, { user, signal: context.signal, timeoutMs: null }),
  )
}

/** In a mapping, "=" and "\" are escaped by a backslash. */
function escapeMapping(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll('=', '\\=')
}

/** Settings made by ALTER SYSTEM on production would come over ours: they are put aside. */
function settleCopy({ layout }: Place): void {
  const auto = join(layout.data, 'postgresql.auto.conf')
  if (existsSync(auto)) renameSync(auto, `${auto}.production`)
  // It lists the files as they were copied, which holds until the standby starts.
  rmSync(join(layout.data, 'backup_manifest'), { force: true })
}

/** pg_basebackup was told not to sync: here it is once for data, tablespaces and our changes. */
async function syncVolume(programs: Programs, place: Place): Promise<void> {
  const command = [programs.path('initdb'), '--sync-only', '-D', place.layout.data]
  await runProgram(command, { user: place.user, timeoutMs: null })
  syncDirectory(place.layout.directory)
}

async function report(
  place: Place,
  state: PostgresState,
): Promise<DatabaseResult<'database.seed'>> {
  const programs = new Programs(state.major, place.programs)
  const control = await readControlData(programs, place.layout.data, place.user)
  const sizeBytes = await directorySize(place.layout.data)
  const tablespaces = existsSync(place.tablespaces) ? readdirSync(place.tablespaces) : []
  let total = sizeBytes
  for (const name of tablespaces) total += await directorySize(join(place.tablespaces, name))
  const position = { position: control.redo, detail: String(control.timeline) }
  return { version: state.version, sizeBytes: total, position }
}
