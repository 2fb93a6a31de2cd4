/** mariadb-backup: reads the files of a running MariaDB, and makes them consistent. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { MaasError } from '@openmaas/kernel/errors'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import type { OsUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import { writeAuthorities } from './production.ts'
import type { SeedRequest } from './seed-request.ts'

/** mariadb-backup reads in pieces of this size, and throttles by pieces a second. */
const BACKUP_PIECE_SIZE = 10 * 1024 * 1024

/** @returns the position of the copy */
export async function copyMariadb(request: SeedRequest): Promise<string> {
  const { params, layout, programs, production, user, context } = request
  const { signal } = context
  const dataDirectory = (await production.session.value('SELECT @@global.datadir')) ?? ''
  requireReadable(dataDirectory)
  const credentials = join(layout.run, 'backup.cnf')
  writePrivateFile(
    credentials,
    backupFile(params.connection, writeAuthorities(params.connection, request)),
  )
  const { bytesPerSecond } = params
  try {
    const command = [
      programs.backup!,
      `--defaults-file=${credentials}`,
      '--backup',
      `--datadir=${dataDirectory}`,
      `--target-dir=${layout.data}`,
      // One job of many does not take all of production's disks.
      '--parallel=2',
      ...(bytesPerSecond === null
        ? []
        : [`--throttle=${Math.max(1, Math.floor(bytesPerSecond / BACKUP_PIECE_SIZE))}`]),
    ]
    await runProgram(command, { signal, timeoutMs: null })
    context.progress({ phase: 'prepare', bytesDone: 0, bytesTotal: null })
    await runProgram([programs.backup!, '--prepare', `--target-dir=${layout.data}`], {
      signal,
      timeoutMs: null,
    })
  } finally {
    rmSync(credentials, { force: true })
  }
  if (user !== null) giveTo(layout.data, user)
  return backupPosition(layout.data)
}

/** It reads the files of production, so it runs where they are. */
function requireReadable(dataDirectory: string): void {
  if (existsSync(join(dataDirectory, 'ibdata1'))) return
  const message =
    `the data directory of production, ${dataDirectory}, is not on this host: ` +
    'mariadb-backup reads its files, so the staging host must be the one MariaDB runs on'
  throw new MaasError('DATABASE_UNFIT', message, { dataDirectory })
}

function backupFile(
  { host, port, user, password, tls }: DatabaseConnection,
  caFile: string | null,
): string {
  const socket = host.startsWith('/')
  const lines = [
    '[mariadb-backup]',
    `user=${quoted(user)}`,
    ...(password === null ? [] : [`password=${quoted(password)}`]),
    ...(socket || tls === 'off' ? [] : ['ssl']),
    ...(socket || tls !== 'verify' ? [] : ['ssl-verify-server-cert']),
    ...(caFile === null ? [] : [`ssl-ca=${caFile}`]),
    ...(socket ? [`socket=${host}`] : ['protocol=TCP', `host=${host}`, `port=${port}`]),
  ]
  return `${lines.join('\n')}\n`
}

/** In an option file. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** The third field: file, offset, position. It is empty when production logged nothing yet. */
function backupPosition(data: string): string {
  for (const name of ['xtrabackup_binlog_info', 'mariadb_backup_binlog_info']) {
    const path = join(data, name)
    if (!existsSync(path)) continue
    return readFileSync(path, 'utf8').trim().split('\t')[2]?.replace(/\s+/g, '') ?? ''
  }
  const message = 'the copy does not say where in the binlog it stands: is log_bin off?'
  throw new MaasError('DATABASE_UNFIT', message, {})
}

/** Owner of all that is below; links are not followed. */
function giveTo(path: string, user: OsUser): void {
  if (process.getuid?.() !== 0) return
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return
  chownSync(path, user.uid, user.gid)
  if (!stat.isDirectory()) return
  chmodSync(path, 0o700)
  for (const name of readdirSync(path)) giveTo(join(path, name), user)
}
