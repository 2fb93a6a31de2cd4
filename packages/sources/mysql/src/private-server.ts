/**
 * A server that this plug-in starts on a volume, and the account by which only the plug-in reaches
 * it: made at each start by an init file, before anybody can connect, with a password that stands
 * in the run directory of the host and nowhere else.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import { makeLayout } from '@openmaas/source-kit/layout'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import type { OsUser } from '@openmaas/source-kit/os-user'
import {
  findServer,
  serverLog,
  serverLogTail,
  startServer,
} from '@openmaas/source-kit/server-process'
import { stopServer } from '@openmaas/source-kit/server-process'
import type { ServerPlace } from '@openmaas/source-kit/server-process'
import { readState, writeState } from '@openmaas/source-kit/state-file'
import type { Programs } from './programs.ts'
import { BINLOG_BASE, emptyDirectory, serverCommand, socketOf } from './server-options.ts'
import type { Options } from './server-options.ts'
import { Session } from './session.ts'

/** Never replicated, and on no production server. */
export const LOCAL_ADMIN = 'openmaas_local'

/** Recovery after a crash reads the redo log: gigabytes at most. */
const START_MS = 10 * 60_000
/** Dirty pages of a buffer pool are written; then it is killed, and recovers at the next start. */
const STOP_MS = 120_000
const POLL_MS = 50

const adminRecord = z.object({ password: z.string() })

export interface PrivateServer {
  readonly layout: VolumeLayout
  readonly programs: Programs
  readonly user: OsUser | null
}

export function placeOf(layout: Pick<VolumeLayout, 'run'>): ServerPlace {
  return { run: layout.run, name: 'server' }
}

export function isRunning(layout: Pick<VolumeLayout, 'run'>): boolean {
  return findServer(placeOf(layout)) !== null
}

export interface StartOptions {
  readonly options: Options
  /** Started again when it fails, also while no agent runs. */
  readonly restart: boolean
  /** A statement a line, run at each start. */
  readonly initial?: readonly string[]
  readonly signal: AbortSignal
}

/**
 * Starts it unless it runs, and waits until it answers.
 *
 * @returns a connection as its administrator
 * @throws MaasError DATABASE_START_FAILED, MISSING_PROGRAM, CANCELLED
 */
export async function startPrivate(server: PrivateServer, start: StartOptions): Promise<Session> {
  const { layout, programs, user } = server
  const place = placeOf(layout)
  if (findServer(place) === null) {
    makeLayout(layout, user)
    makeEmptyDirectory(emptyDirectory(layout))
    const password = `Aa1!${randomBytes(24).toString('hex')}` // Passes any rule for passwords.
    writeState(adminPath(layout), { password })
    const initial = [...adminStatements(programs, password), ...(start.initial ?? [])]
    writeOwned(initPath(layout), `${initial.map((line) => `${line};`).join('\n')}\n`, user)
    await rewriteIndex(layout, user)
    beginLog(place)
    const command = serverCommand(programs, { ...start.options, 'init-file': initPath(layout) })
    await startServer({ ...place, command, user, restart: start.restart })
  }
  try {
    return await waitUntilReady(layout, start.signal)
  } catch (error) {
    // One that cannot start would be tried each second; one that was waited for in vain hangs.
    await stopPrivate(layout, { immediate: true })
    throw error
  }
}

/**
 * Waits for one that was started, now or before: its keeper starts it again when it was killed.
 *
 * @throws MaasError DATABASE_START_FAILED, CANCELLED
 */
export async function waitUntilReady(layout: VolumeLayout, signal: AbortSignal): Promise<Session> {
  const deadline = performance.now() + START_MS
  for (;;) {
    if (signal.aborted) throw new MaasError('CANCELLED', 'the start was cancelled', {})
    const session = await connectLocal(layout).catch((error: unknown) => {
      if (error instanceof MaasError && error.code === 'DATABASE_UNREACHABLE') return null
      // The init file runs before connections are accepted, so this account is there.
      throw error
    })
    if (session !== null) return session
    const tail = await serverLogTail(placeOf(layout))
    const dead = findServer(placeOf(layout)) === null || /\[ERROR\].*\bAborting\b/.test(tail)
    if (dead || performance.now() > deadline) {
      const message = dead ? 'the server does not start' : 'the server did not answer in 10 minutes'
      throw new MaasError('DATABASE_START_FAILED', `${message}: ${firstError(tail)}`, { log: tail })
    }
    await delay(POLL_MS)
  }
}

/** @throws MaasError DATABASE_UNREACHABLE when it does not run */
export async function connectLocal(layout: VolumeLayout): Promise<Session> {
  const admin = readState(adminPath(layout), adminRecord)
  if (admin === null)
    throw new MaasError('DATABASE_UNREACHABLE', 'no server runs on the volume', {})
  const session = await Session.open('the server on the volume', {
    socketPath: socketOf(layout),
    user: LOCAL_ADMIN,
    password: admin.password,
  })
  // Our quoting is understood whatever production was set to.
  await session.run("SET SESSION sql_mode = ''")
  return session
}

/** @returns false when none ran */
export async function stopPrivate(
  layout: VolumeLayout,
  { immediate }: { immediate: boolean },
): Promise<boolean> {
  // Killed, a server of either product recovers at its next start.
  const signal = immediate ? 'SIGKILL' : 'SIGTERM'
  return stopServer(placeOf(layout), { signal, timeoutMs: STOP_MS })
}

function adminStatements(programs: Programs, password: string): string[] {
  const account = `'${LOCAL_ADMIN}'@'localhost'`
  const create =
    programs.version.product === 'mariadb'
      ? [`CREATE OR REPLACE USER ${account} IDENTIFIED BY '${password}'`]
      : [
          `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${password}'`,
          `ALTER USER ${account} IDENTIFIED BY '${password}'`,
        ]
  return [
    'SET SESSION sql_log_bin = 0',
    ...create,
    `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION`,
  ]
}

/** For the client program, which must not be told a password by its arguments. */
export function writeClientFile(layout: VolumeLayout): string {
  const admin = readState(adminPath(layout), adminRecord)
  const path = join(layout.run, 'client.cnf')
  const lines = [
    '[client]',
    `user=${LOCAL_ADMIN}`,
    `password="${admin?.password ?? ''}"`,
    `socket=${socketOf(layout)}`,
  ]
  writePrivateFile(path, `${lines.join('\n')}\n`)
  return path
}

/**
 * The index of binlogs names them by absolute paths: on a clone, those of the original, which may
 * be mounted beside it. Each must name the file that lies here.
 */
async function rewriteIndex(layout: VolumeLayout, user: OsUser | null): Promise<void> {
  const path = join(layout.log, `${BINLOG_BASE}.index`)
  if (!existsSync(path)) return
  const here = new Set(await readdir(layout.log))
  const names = readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split('/').at(-1)!)
    .filter((name) => here.has(name))
  const text = names.map((name) => `${join(layout.log, name)}\n`).join('')
  if (text === readFileSync(path, 'utf8')) return
  writeOwned(path, text, user)
}

/** The directory is the server's: the owner is set on what was written, never on a name. */
function writeOwned(path: string, text: string, user: OsUser | null): void {
  writePrivateFile(path, text)
  if (user === null) return
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const { nlink, uid } = fstatSync(file)
    if (nlink !== 1 || uid !== process.getuid?.()) {
      const message = 'a file of the server was replaced while it was written'
      throw new MaasError('DATABASE_STATE_INVALID', message, { path })
    }
    fchownSync(file, user.uid, user.gid)
  } finally {
    closeSync(file)
  }
}

/** Read by nobody's need and written by nobody: what SQL may read or write is in it. */
function makeEmptyDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o555 })
  const directory = openSync(path, constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    fchmodSync(directory, 0o555)
  } finally {
    closeSync(directory)
  }
}

/** What stands in the log is of this start alone; the one before is kept for people. */
function beginLog(place: ServerPlace): void {
  const path = serverLog(place)
  if (existsSync(path)) renameSync(path, `${path}.before`)
}

function firstError(log: string): string {
  const lines = log.split('\n').filter((line) => /\[ERROR\]/.test(line))
  return (lines[0] ?? log.trim().split('\n').at(-1) ?? '')
    .replace(/^.*\[ERROR\]\s*/, '')
    .slice(0, 300)
}

function adminPath(layout: Pick<VolumeLayout, 'run'>): string {
  return join(layout.run, 'admin.json')
}

function initPath(layout: Pick<VolumeLayout, 'run'>): string {
  return join(layout.run, 'init.sql')
}
