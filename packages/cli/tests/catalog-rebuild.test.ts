/**
 * Goal: a server whose catalog is gone has its sources, points and policies' effects back from
 * the pool alone, goes on protecting, and reads what it protected before.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { Serve, START_TIMEOUT_MS } from './serve.test-support.ts'
import { transcriptEnvironment } from './transcript.ts'

const COMMAND_TIMEOUT_MS = 120_000
/** Some twenty commands and three starts of a server, on a machine that is shared. */
const TEST_TIMEOUT_MS = 300_000

let directory: TemporaryDirectory
const serve = new Serve()
beforeAll(async () => {
  directory = new TemporaryDirectory()
  mkdirSync(directory.join('data/docs'), { recursive: true })
  writeFileSync(directory.join('data/docs/a.txt'), 'one\n')
  await serve.start(directory.path)
}, START_TIMEOUT_MS)
afterAll(async () => {
  await serve.stop()
  directory.dispose()
}, START_TIMEOUT_MS)

/** Of a command that has to succeed. */
function openmaas(line: string): string {
  const result = spawnSync('/bin/sh', ['-c', `openmaas ${line}`], {
    cwd: directory.path,
    env: transcriptEnvironment(directory.path),
    encoding: 'utf8',
    timeout: COMMAND_TIMEOUT_MS,
  })
  expect(result.status, `openmaas ${line}\n${result.stderr}`).toBe(0)
  return result.stdout
}
/** The port is another one after each start. */
function login(password: 'password' | 'new'): void {
  const secrets = `--password-file ${password} --new-password-file new`
  const server = '$(cat url) --fingerprint $(cat fingerprint) --name site'
  openmaas(`login ${server} --user admin ${secrets}`)
}
const loseCatalog = (): void => {
  for (const file of globSync('catalog.db*', { cwd: directory.join('server') })) {
    rmSync(path.join(directory.join('server'), file))
  }
}

test(
  'sources, points, policies and labels come back from the pool, and the points can be read',
  async () => {
    login('password')
    openmaas('policy add site --rpo 1h --keep last=5 --selector env=prod')
    const source = openmaas('source add $PWD/data --name data --label env=prod -o name')
    openmaas('protect data')
    await serve.stop()
    loseCatalog()
    const rebuilt = JSON.parse(openmaas('catalog rebuild --data server --json')) as Record<
      string,
      unknown
    >
    expect(rebuilt).toMatchObject({
      catalogCopy: null,
      pools: 1,
      sources: 1,
      points: 1,
      policies: 1,
    })
    await serve.start(directory.path)
    login('password')
    expect(openmaas('source list --label env=prod -o name')).toBe(source)
    expect(openmaas('source list').split('\t').slice(0, 4).join(' ')).toMatch(
      /^data \S+ \S+\/data site$/,
    )
    expect(openmaas('policy list --name site')).toMatch(/^site\t1h\tenv=prod\t/)
    expect(openmaas('point cat data docs/a.txt')).toBe('one\n')
    openmaas('protect data')
    expect(openmaas('point list --source data -o name').trim().split('\n')).toHaveLength(2)
  },
  TEST_TIMEOUT_MS,
)

test(
  'a copy of the catalog in the pool brings back what no point says',
  async () => {
    openmaas('user add alice --role operator')
    openmaas('source change data --name renamed')
    await serve.stop()
    // As the server does once a day: the copy is newer than any point.
    openmaas('catalog export copy.jsonl --data server')
    loseCatalog()
    openmaas('catalog import copy.jsonl --data server')
    await serve.start(directory.path)
    login('new')
    expect(openmaas('user list -o name').trim().split('\n')).toHaveLength(2)
    expect(openmaas('source list').split('\t')[0]).toBe('renamed')
    openmaas('protect renamed')
  },
  TEST_TIMEOUT_MS,
)
