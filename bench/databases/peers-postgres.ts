/** What else makes copies of a PostgreSQL: time to a copy that answers, and its space. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@openmaas/source-kit/free-port'
import { serverUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import { startServer, stopServer } from '@openmaas/source-kit/server-process'
import { withConnection } from '@openmaas/source-postgres/connection'
import { waitFor } from '@openmaas/testkit/wait-for'
import { folderOf } from '../../interop/postgres/production.test-support.ts'
import type { PostgresEngine } from './engine.ts'
import { mustHaveRoom, usedBytes } from './site.ts'

export type Note = (what: string, result: string) => void

const START_MS = 600_000
const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
const user = serverUser('postgres')

interface Bench {
  readonly engine: PostgresEngine
  readonly root: string
  readonly note: Note
}

export async function measurePostgresPeers(
  engine: PostgresEngine,
  root: string,
  note: Note,
): Promise<void> {
  const bench = { engine, root, note }
  mustHaveRoom(root, engine.sizeBytes)
  await measureTemplate(bench)
  for (const [program, copies, measure] of [
    ['/usr/bin/pgbackrest', 1.2, measurePgBackRest],
    ['/usr/bin/barman', 2, measureBarman],
  ] as const) {
    try {
      if (!existsSync(program)) throw new Error('not installed')
      mustHaveRoom(root, engine.sizeBytes * copies)
      await measure(bench)
    } catch (error) {
      note(program, String(error).slice(0, 400))
    }
  }
}

/** Nobody may be connected to the database that is copied: it is no copy of a running one. */
async function measureTemplate({ engine, note }: Bench): Promise<void> {
  const { production } = engine
  await production.sql('checkpoint')
  const size = Number(await production.sql('select pg_database_size(current_database())::text'))
  for (const strategy of ['wal_log', 'file_copy']) {
    const before = performance.now()
    const sql = `create database copied template postgres strategy = ${strategy}`
    const psql = ['psql', '-X', '-q', '-h', production.directory, '-p', String(production.port)]
    await runProgram([...psql, '-U', 'boss', '-c', sql, 'template1'], { user, timeoutMs: null })
    await firstRow(production.directory, production.port, 'copied')
    note(`CREATE DATABASE … TEMPLATE, ${strategy}`, `${since(before)}, ${mb(size)} each`)
    await production.sql('drop database copied')
  }
}

async function measurePgBackRest({ engine, root, note }: Bench): Promise<void> {
  const { production } = engine
  const place = join(root, 'pgbackrest')
  await makeOwned(place)
  const options = [
    '[global]',
    `repo1-path=${place}/repo`,
    `log-path=${place}`,
    `lock-path=${place}/lock`,
    'repo1-retention-full=2',
    'compress-type=zst',
    'compress-level=1',
    'process-max=2',
    'start-fast=y',
    'archive-check=n',
    '[shop]',
    `pg1-path=${production.data}`,
    `pg1-socket-path=${production.directory}`,
    `pg1-port=${production.port}`,
    'pg1-user=boss',
  ]
  const file = join(place, 'pgbackrest.conf')
  writeFileSync(file, options.join('\n'), { mode: 0o644 })
  const how = { user, timeoutMs: null }
  const call = (...words: string[]): Promise<unknown> =>
    runProgram(['pgbackrest', `--config=${file}`, '--stanza=shop', ...words], how)
  await production.sql(`alter system set archive_mode = on`)
  const push = `pgbackrest --config=${file} --stanza=shop archive-push %p`
  await production.sql(`alter system set archive_command = '${push}'`)
  await production.restart()
  await call('stanza-create')
  let beganMs = performance.now()
  await call('backup', '--type=full')
  note('pgBackRest, full backup', `${since(beganMs)}, ${mb(await usedBytes(`${place}/repo`))}`)
  beganMs = performance.now()
  await call('restore', `--pg1-path=${place}/data`, '--type=immediate', '--target-action=promote')
  await startAndAsk(place, { restore_command: null })
  await noteCopy(note, 'pgBackRest, restore to the first query', { place, beganMs })
  rmSync(place, { recursive: true, force: true })
  await production.sql('alter system reset all')
  await production.restart()
}

async function measureBarman({ engine, root, note }: Bench): Promise<void> {
  const { production } = engine
  const place = join(root, 'barman')
  await makeOwned(place)
  const socket = `host=${production.directory} port=${production.port} user=boss dbname=postgres`
  const options = [
    '[barman]',
    `barman_home = ${place}/home`,
    'barman_user = postgres',
    `log_file = ${place}/barman.log`,
    '[shop]',
    'description = shop',
    `conninfo = ${socket}`,
    `streaming_conninfo = ${socket}`,
    'backup_method = postgres',
    'streaming_archiver = on',
    'slot_name = barman',
    'create_slot = auto',
    `path_prefix = ${folderOf(15)!}`,
  ]
  const file = join(place, 'barman.conf')
  writeFileSync(file, options.join('\n'), { mode: 0o644 })
  await makeOwned(join(place, 'home'))
  const environment = { HOME: place, PGOPTIONS: '' }
  const call = (...words: string[]): Promise<unknown> =>
    runProgram(['barman', '-c', file, ...words], { user, environment, timeoutMs: null })
  await call('receive-wal', '--create-slot', 'shop')
  await startServer({
    run: place,
    name: 'receiver',
    command: ['barman', '-c', file, 'receive-wal', 'shop'],
    user,
    environment,
    restart: false,
  })
  try {
    await waitFor('barman receives', async () => {
      const sql =
        "select count(*)::int from pg_replication_slots where slot_name = 'barman' and active"
      return (await production.sql(sql)) === 1
    })
    // A backup begins when a whole segment of the log has come.
    await call('switch-wal', '--force', '--archive', '--archive-timeout', '60', 'shop')
    let beganMs = performance.now()
    await call('backup', '--immediate-checkpoint', 'shop')
    note('barman, full backup', `${since(beganMs)}, ${mb(await usedBytes(`${place}/home`))}`)
    await call('switch-wal', '--force', '--archive', 'shop')
    beganMs = performance.now()
    await call('recover', '--target-immediate', 'shop', 'latest', `${place}/data`)
    await startAndAsk(place, {})
    await noteCopy(note, 'barman, recover to the first query', { place, beganMs })
  } finally {
    await stopServer({ run: place, name: 'receiver' }, { signal: 'SIGTERM', timeoutMs: 60_000 })
    const drop = "select pg_drop_replication_slot('barman')"
    await waitFor('the slot is free', () => production.sql(drop).then(() => true))
    rmSync(place, { recursive: true, force: true })
  }
}

async function makeOwned(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true })
  if (user !== null) await chown(directory, user.uid, user.gid)
}

const since = (beganMs: number): string => `${((performance.now() - beganMs) / 1000).toFixed(1)} s`

/** A server on `<place>/data`, until it has opened it for writing and answered. */
async function startAndAsk(
  place: string,
  settings: Readonly<Record<string, string | null>>,
): Promise<void> {
  const port = await freePort(['127.0.0.1'])
  const command = [join(folderOf(15)!, 'postgres'), '-D', join(place, 'data')]
  const own = { ...settings, port: String(port), unix_socket_directories: place }
  const all = { ...own, archive_mode: 'off', listen_addresses: '127.0.0.1' }
  for (const [name, value] of Object.entries(all)) {
    if (value !== null) command.push('-c', `${name}=${value}`)
  }
  await startServer({ run: place, name: 'copy', command, user, restart: false })
  await waitFor('the copy answers', () => firstRow(place, port, 'postgres').then(() => true), {
    timeoutMs: START_MS,
  })
}

async function noteCopy(
  note: Note,
  what: string,
  { place, beganMs }: { place: string; beganMs: number },
): Promise<void> {
  const took = since(beganMs)
  await stopServer({ run: place, name: 'copy' }, { signal: 'SIGINT', timeoutMs: 60_000 })
  note(what, `${took}, ${mb(await usedBytes(join(place, 'data')))} each`)
  rmSync(join(place, 'data'), { recursive: true })
}

async function firstRow(host: string, port: number, database: string): Promise<void> {
  const connection = { host, port, user: 'boss', password: null, tls: 'off', ca: null } as const
  const sql = 'select abalance from pgbench_accounts where aid = 1000'
  const ask = async (): Promise<void> => {
    await withConnection(connection, (queries) => queries.rows(sql), database)
  }
  await ask()
}
