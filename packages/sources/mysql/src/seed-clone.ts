/**
 * MySQL's clone plugin: an empty server of ours on the volume, the recipient, copies production
 * into data/ over the network, pages as they are, and is thrown away.
 */
import { chownSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { OsUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import type { FollowSource } from './dialect.ts'
import { MYSQL } from './dialect-mysql.ts'
import { startPrivate, stopPrivate } from './private-server.ts'
import { followSource } from './production.ts'
import type { Session } from './session.ts'
import type { SeedRequest } from './seed-request.ts'
import { recoveryOptions, serverIdOf } from './server-options.ts'

/** MySQL throttles by MiB a second. */
const MEBIBYTE = 1024 * 1024
const INITIALIZE_MS = 10 * 60_000

/** Beside data/ while the copy is made: the recipient, and the copy itself. */
export const CLONE_FOLDER = 'cloning'

/** @returns the position of the copy */
export async function cloneMysql(request: SeedRequest): Promise<string> {
  const { params, layout, programs, production, user, context } = request
  const { signal } = context
  const folder = join(layout.directory, CLONE_FOLDER)
  const recipient = {
    ...layout,
    data: join(folder, 'recipient'),
    log: join(folder, 'log'),
  }
  const copy = join(folder, 'data')
  const server = { layout: recipient, programs, user }
  for (const path of [folder, recipient.data, recipient.log]) makeOwned(path, user)
  try {
    const initialize = [
      programs.server,
      '--no-defaults',
      '--initialize-insecure',
      `--datadir=${recipient.data}`,
      ...carriedAtBirth(request),
    ]
    await runProgram(initialize, { user, signal, timeoutMs: INITIALIZE_MS })
    const source = await followSource(params.connection, production.session, server)
    const identity = { layout: recipient, programs, id: params.id, carried: request.state.settings }
    await using session = await startPrivate(server, {
      options: {
        ...recoveryOptions(identity, {}),
        'plugin-load-add': 'mysql_clone.so',
        'server-id': String(serverIdOf(`recipient of ${params.id}`)),
      },
      restart: false,
      signal,
    })
    // The copy knows its own position when a server starts on it; it is this one or a later one.
    const atLeast = await MYSQL.position(production.session)
    await copyInto(copy, session, request, source)
    if (!existsSync(join(copy, 'ibdata1'))) {
      throw new MaasError('DATABASE_REFUSED', 'the clone plugin left no copy', {})
    }
    rmSync(layout.data, { recursive: true, force: true })
    renameSync(copy, layout.data)
    return atLeast
  } finally {
    await stopPrivate(recipient, { immediate: true })
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A clone takes days at a terabyte and 10 MB/s; a timer of Node holds 24 of them. */
const CLONE_MS = 2 ** 31 - 1

async function copyInto(
  copy: string,
  session: Session,
  { params, context: { signal } }: SeedRequest,
  source: FollowSource,
): Promise<void> {
  const { bytesPerSecond, connection } = params
  const limit = bytesPerSecond === null ? 0 : Math.max(1, Math.floor(bytesPerSecond / MEBIBYTE))
  const donor = session.quote(`${source.host}:${source.port}`)
  await session.run(`SET GLOBAL clone_max_data_bandwidth = ${limit}`)
  await session.run(`SET GLOBAL clone_valid_donor_list = ${donor}`)
  if (source.caFile !== null) {
    await session.run(`SET GLOBAL clone_ssl_ca = ${session.quote(source.caFile)}`)
  }
  const account = `${session.quote(connection.user)}@${session.quote(source.host)}:${source.port}`
  const sql =
    `CLONE INSTANCE FROM ${account} IDENTIFIED BY ${session.quote(connection.password ?? '')} ` +
    `DATA DIRECTORY = ${session.quote(copy)} ` +
    (connection.tls === 'off' ? 'REQUIRE NO SSL' : 'REQUIRE SSL')
  const cancel = (): void => session.destroy()
  signal.addEventListener('abort', cancel)
  try {
    await session.run(sql, [], CLONE_MS)
  } catch (error) {
    if (signal.aborted) throw new MaasError('CANCELLED', 'the copy was cancelled', {})
    throw error
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** What cannot be changed after a data directory was made must be production's. */
function carriedAtBirth({ state }: SeedRequest): string[] {
  return ['innodb_page_size', 'lower_case_table_names', 'innodb_data_file_path'].flatMap((name) => {
    const value = state.settings[name]
    return value === undefined ? [] : [`--${name.replaceAll('_', '-')}=${value}`]
  })
}

function makeOwned(path: string, user: OsUser | null): void {
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { mode: 0o700 })
  if (user !== null) chownSync(path, user.uid, user.gid)
}
