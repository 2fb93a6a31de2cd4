/**
 * Goal: MariaDB works on a plugged disk and keeps every commit it acknowledged, while the engine
 * is killed under it, while it is killed itself, and while engine and keeper are killed and the
 * disk is brought back by "plug --resume".
 */
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { PlugResult } from '../support/command-line.ts'
import { findLeftovers, findProcesses } from '../support/leftovers.ts'
import { run, start, type Running } from '../support/program.ts'
import { Site } from '../support/site.ts'
import { acknowledged, killDisk, killEngines, statements } from './database-load.ts'

const WRITERS = 4
const LOAD_MS = 8000

let site: Site
let medium: PlugResult
let data: string
let server: Running | undefined

const client = (...args: string[]): string[] => [
  'mariadb',
  '--no-defaults',
  '-uroot',
  `--socket=${site.join('run', 'socket')}`,
  ...args,
]
const sql = (command: string): Promise<string> => run(client('-NBe', command))

/** Starts the server on the disk and waits until it has recovered. */
async function startServer(): Promise<void> {
  server = start([
    'mariadbd',
    '--no-defaults',
    '--user=mysql',
    `--datadir=${data}`,
    `--socket=${site.join('run', 'socket')}`,
    `--pid-file=${site.join('run', 'pid')}`,
    '--skip-networking',
    '--innodb-buffer-pool-size=32M',
    '--innodb-log-file-size=16M',
    '--innodb-flush-log-at-trx-commit=1',
    '--innodb-fast-shutdown=0',
  ])
  await waitFor('MariaDB answers', () => sql('select 1'), { timeoutMs: 60_000 })
}

async function killServer(): Promise<void> {
  server!.child.kill('SIGKILL')
  await server!.ended
  server = undefined
}

async function stopServer(): Promise<void> {
  await sql('shutdown')
  await server!.ended
  server = undefined
}

function startWriters(): Running[] {
  return Array.from({ length: WRITERS }, (_, writer) =>
    start(client('-NBn', 'test'), {
      input: statements(
        (number) => `insert into kept values (${writer}, ${number}, uuid()) returning number;`,
      ),
    }),
  )
}

const hasCommits = (writers: readonly Running[], count: number): boolean =>
  writers.every((writer) => writer.output().split('\n').length > count)

async function checkCommits(writers: readonly Running[]): Promise<number> {
  const rows = new Set((await sql('select writer, number from test.kept')).trim().split('\n'))
  let count = 0
  for (const [writer, running] of writers.entries()) {
    for (const number of acknowledged(await running.ended)) {
      expect(rows.has(`${writer}\t${number}`), `commit ${number} of writer ${writer}`).toBe(true)
      count += 1
    }
  }
  const said = await sql('check table test.kept, test.other extended')
  for (const line of said.trim().split('\n')) expect(line).toMatch(/\tstatus\tOK$/)
  await sql('truncate test.kept')
  return count
}

requires(
  {
    root: true,
    paths: ['/dev/fuse', '/dev/loop-control'],
    programs: ['mariadbd', 'mariadb', 'mariadb-install-db'],
  },
  () => {
    beforeAll(async () => {
      site = await Site.make()
      await run(['chmod', '755', site.path])
      await run(['install', '-d', '-o', 'mysql', site.join('run'), site.join('source')])
      data = site.join('source', 'data')
      await run([
        'mariadb-install-db',
        '--no-defaults',
        '--user=mysql',
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
      ])
      await startServer()
      await sql('create database if not exists test')
      await sql(
        'create table test.kept (writer int, number int, text varchar(64), primary key (writer, number), key (text)) engine=innodb',
      )
      await sql(
        'use test; create table other engine=innodb select seq, md5(seq) text from seq_1_to_20000',
      )
      await stopServer()
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
      const writers = startWriters()
      const kills = await killEngines(site.mediumDirectory(medium.id), delay(LOAD_MS))
      await waitFor('commits', () => hasCommits(writers, 100))
      for (const writer of writers) writer.child.kill()
      expect(await checkCommits(writers)).toBeGreaterThan(100)
      expect(kills).toBeGreaterThan(1)
    })

    test('keeps all it acknowledged when it and the engine are killed', async () => {
      const writers = startWriters()
      await waitFor('commits', () => hasCommits(writers, 100))
      process.kill(findProcesses(medium.id)!.engine, 'SIGKILL')
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
      await stopServer()
      await run(['umount', medium.mountPoint])
      await run(['e2fsck', '-fn', medium.device])
      await site.cli.json(['eject', medium.id])
      await site.cli.json(['pool', 'fsck', '--data'])
    })
  },
)
