/**
 * Goal: PostgreSQL works on a plugged disk and keeps every commit it acknowledged, while the
 * engine is killed under it, while it is killed itself, and while engine and keeper are killed
 * and the disk is brought back by "plug --resume".
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { PlugResult } from '../support/command-line.ts'
import { childrenOf, findLeftovers, findProcesses, kill } from '../support/leftovers.ts'
import { run, start, type Running } from '../support/program.ts'
import { Site } from '../support/site.ts'
import { acknowledged, killDisk, killEngines, statements } from './database-load.ts'

/** Debian keeps the server's programs out of PATH, in a folder for each version. */
const PROGRAMS =
  globSync('/usr/lib/postgresql/*/bin/postgres')
    .map((path) => join(path, '..'))
    .toSorted()
    .at(-1) ?? '/usr/lib/postgresql/bin'
const AS_POSTGRES = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', '--']
const WRITERS = 4

let site: Site
let medium: PlugResult
let data: string
let server: Running | undefined

const program = (name: string, ...args: string[]): string[] => [
  ...AS_POSTGRES,
  join(PROGRAMS, name),
  ...args,
]
const sql = (command: string): Promise<string> =>
  run(program('psql', '-h', site.join('run'), '-d', 'postgres', '-qAtc', command))

/** Starts the server on the disk and waits until it has recovered. */
async function startServer(): Promise<void> {
  const options = ['-k', site.join('run'), '-c', 'listen_addresses=', '-c', 'shared_buffers=32MB']
  // A small log makes checkpoints, and so writes of pages, happen while we kill.
  server = start(program('postgres', '-D', data, ...options, '-c', 'max_wal_size=32MB'))
  await waitFor('PostgreSQL answers', () => sql('select 1'), { timeoutMs: 60_000 })
}

/** All of it at once: a child that waits for a lock would outlive the postmaster for ever. */
async function killServer(): Promise<void> {
  const children = childrenOf(server!.child.pid!)
  for (const pid of [server!.child.pid!, ...children]) kill(pid)
  await server!.ended
  server = undefined
}

async function checkCommits(writers: readonly Running[]): Promise<number> {
  const rows = new Set((await sql('select writer, number from load')).trim().split('\n'))
  let count = 0
  for (const [writer, running] of writers.entries()) {
    for (const number of acknowledged(await running.ended)) {
      expect(rows.has(`${writer}|${number}`), `commit ${number} of writer ${writer}`).toBe(true)
      count += 1
    }
  }
  await run(
    program(
      'pg_amcheck',
      '-h',
      site.join('run'),
      '-d',
      'postgres',
      '--install-missing',
      '--heapallindexed',
    ),
  )
  await sql('truncate load')
  return count
}

function startWriters(): Running[] {
  return Array.from({ length: WRITERS }, (_, writer) =>
    start(program('psql', '-h', site.join('run'), '-d', 'postgres', '-qAt', '-f', '-'), {
      input: statements(
        (number) => `insert into load values (${writer}, ${number}) returning number;`,
      ),
    }),
  )
}

const hasCommits = (writers: readonly Running[], count: number): boolean =>
  writers.every((writer) => writer.output().split('\n').length > count)

requires(
  {
    root: true,
    paths: ['/dev/fuse', '/dev/loop-control', join(PROGRAMS, 'postgres')],
    programs: ['setpriv'],
  },
  () => {
    beforeAll(async () => {
      site = await Site.make()
      await run(['chmod', '755', site.path])
      await run(['install', '-d', '-o', 'postgres', site.join('run'), site.join('source')])
      const origin = site.join('source', 'data')
      await run(program('initdb', '-D', origin, '--no-sync', '-A', 'trust', '--data-checksums'))
      data = origin
      await startServer()
      await sql(
        'create table load (writer int, number int, text text default md5(random()::text), primary key (writer, number))',
      )
      await sql('create extension amcheck')
      await run(program('pgbench', '-h', site.join('run'), '-q', '-i', '-s', '2', 'postgres'))
      await run(program('pg_ctl', 'stop', '-D', origin, '-m', 'fast'))
      await server!.ended
      await site.cli.backup(site.join('source'))
      medium = await site.cli.plug('latest', '--at', site.join('disk'), '--free', '4GiB')
      data = join(medium.mountPoint, 'data')
      await startServer()
    })
    afterAll(async () => {
      if (server !== undefined) await killServer()
      await site[Symbol.asyncDispose]()
      await waitFor('nothing is left', () => findLeftovers([medium.id, site.path]).length === 0)
    })

    test('works on while its engine is killed again and again', async () => {
      const bench = start(
        program('pgbench', '-h', site.join('run'), '-c', '4', '-T', '10', '-N', 'postgres'),
      )
      const kills = await killEngines(site.mediumDirectory(medium.id), bench.ended)
      const outcome = await bench.ended
      expect(outcome.exitCode, outcome.stderr).toBe(0)
      expect(outcome.stdout).toMatch(/number of failed transactions: 0 /)
      expect(kills).toBeGreaterThan(1)
    })

    test('keeps all it acknowledged when it and the engine are killed', async () => {
      const writers = startWriters()
      await waitFor('commits', () => hasCommits(writers, 100))
      const { engine } = findProcesses(medium.id)!
      process.kill(engine, 'SIGKILL')
      await killServer()
      await startServer()
      expect(await checkCommits(writers)).toBeGreaterThan(100)
    })

    test('keeps all it acknowledged when engine and keeper are killed and the disk resumed', async () => {
      const writers = startWriters()
      await waitFor('commits', () => hasCommits(writers, 100))
      await killDisk(medium.id)
      await killServer()
      medium = await site.cli.json<PlugResult>(['plug', '--resume', medium.id])
      await startServer()
      expect(await checkCommits(writers)).toBeGreaterThan(100)
    })

    test('ends cleanly, and ejecting forgets what it wrote', async () => {
      await run(program('pg_ctl', 'stop', '-D', data, '-m', 'fast'))
      await server!.ended
      server = undefined
      await run(program('pg_checksums', '--check', '-D', data))
      await run(['umount', medium.mountPoint])
      await run(['e2fsck', '-fn', medium.device])
      await site.cli.json(['eject', medium.id])
      await site.cli.json(['pool', 'fsck', '--data'])
    })
  },
)
