/**
 * How jobs end is how commands end; what a document changes is shown. The server is the real
 * one, in this process; the commands are programs.
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { Ended } from './openmaas.test-support.ts'
import { startServerSite } from './server-site.test-support.ts'
import type { ServerSite } from './server-site.test-support.ts'
import { transcriptEnvironment } from './transcript.ts'

let directory: TemporaryDirectory
let site: ServerSite
beforeAll(async () => {
  directory = new TemporaryDirectory()
  site = await startServerSite(directory.path)
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  directory.dispose()
})

/** @param interruptAt sends SIGINT when this holds */
function openmaas(args: readonly string[], interruptAt?: () => boolean): Promise<Ended> {
  const env = {
    ...transcriptEnvironment(directory.path),
    OPENMAAS_SERVER: site.url,
    OPENMAAS_TOKEN_FILE: site.tokenFile,
  }
  const child = spawn('openmaas', args, {
    cwd: directory.path,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  if (interruptAt !== undefined) {
    void waitFor('it may be interrupted', interruptAt).then(() => child.kill('SIGINT'))
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

test.each([
  ['succeeded', 0, /^Job job_\w+\n$/],
  ['warning', 6, /^Job job_\w+\nwarning: the pool is full \(POOL_FULL\)/],
  ['failed', 7, /error: the pool is full \(POOL_FULL\)[^]*openmaas job log job_/],
])('a job that has %s ends the command with %i', async (end, code, stderr) => {
  const ended = await openmaas(['protect', 'acme-source', '--label', `end=${end}`])
  expect(ended.stderr).toMatch(stderr)
  expect(ended.code).toBe(code)
  expect(ended.stdout).toBe(end === 'failed' ? '' : `${site.tenant.point}\n`)
})

test('several sources end with the worst of their jobs', async () => {
  const args = ['protect', 'acme-source', 'acme-source', '--label', 'end=warning', '-o', 'json']
  const ended = await openmaas(args)
  expect(ended.code).toBe(6)
  const jobs = ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { state: string })
  expect(jobs.map((job) => job.state)).toEqual(['warning', 'warning'])
})

test('whoever stops waiting does not stop the job', async () => {
  const ended = await openmaas([
    'protect',
    'acme-source',
    '--label',
    'end=running',
    '--timeout',
    '1s',
  ])
  expect(ended.code).toBe(8)
  expect(ended.stderr).toMatch(/openmaas job watch job_/)
  const { catalog } = site.server
  const isRunning = async (): Promise<boolean> => {
    const query = catalog.db.selectFrom('job').select('id').where('state', '=', 'running')
    const rows = await query.where('activeKey', 'is not', null).execute()
    return rows.length > 0
  }
  expect(await isRunning()).toBe(true)
  const before = site.watchCount()
  const args = ['protect', 'acme-source', '--label', 'end=running']
  const detached = await openmaas(args, () => site.watchCount() > before)
  expect(detached.code).toBe(130)
  expect(detached.stderr).toMatch(/openmaas job watch job_/)
  expect(await isRunning()).toBe(true)
  await catalog.db
    .updateTable('job')
    .set({ state: 'succeeded', endedAt: 1 })
    .where('state', '=', 'running')
    .execute()
})

test('a server that refuses says why, in the language asked for', async () => {
  const english = await openmaas(['source', 'add', 'acme-host', 'relative', '--json'])
  expect(english.code).toBe(2)
  const problem = JSON.parse(english.stderr) as {
    error: { code: string; details: { fields: string[] } }
  }
  expect(problem.error.code).toBe('REQUEST_INVALID')
  expect(problem.error.details.fields.join()).toMatch(/\/path/)
  const chinese = await openmaas(['source', 'show', 'nothing', '--lang', 'zh'])
  expect(chinese.stderr).toMatch(/提示/)
})

test('apply shows each difference, changes nothing in a dry run, and finds nothing to do the second time', async () => {
  const file = directory.join('site.yaml')
  const policy = (rpo: string): string => `apiVersion: openmaas/v1
kind: Policy
metadata: { name: gold }
spec:
  selector: { env: prod }
  promise: { rpo: ${rpo}, retention: { daily: 7 } }
`
  writeFileSync(file, policy('15m'))
  const dry = await openmaas(['apply', '-f', file, '--dry-run'])
  expect(dry).toMatchObject({
    code: 0,
    stderr: '1 documents would change something; nothing was changed.\n',
  })
  expect(dry.stdout).toMatch(/^\+ Policy gold\n/)
  const made = await openmaas(['apply', '-f', file])
  expect(made).toMatchObject({ code: 0, stderr: '1 documents changed something.\n' })
  const again = await openmaas(['apply', '-f', file])
  expect(again).toMatchObject({ code: 0, stdout: '= Policy gold\n' })
  writeFileSync(file, policy('5m'))
  const changed = await openmaas(['apply', '-f', file, '--dry-run'])
  expect(changed.stdout).toMatch(/^~ Policy gold\n.*rpo: "15m" → "5m"\n$/)
  const exported = await openmaas(['export', 'policies'])
  expect(exported.stdout).toContain('kind: Policy')
  writeFileSync(file, exported.stdout)
  const same = await openmaas(['apply', '-f', file])
  expect(same.stdout).toBe('= Policy gold\n')
})

test('documents that are wrong are named, and nothing of the file is applied', async () => {
  const file = directory.join('wrong.yaml')
  writeFileSync(
    file,
    'apiVersion: openmaas/v1\nkind: Policy\nmetadata: { name: x }\nspec: { promise: { rpo: 1s } }\n',
  )
  const refused = await openmaas(['apply', '-f', file])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/rpo/)
  writeFileSync(file, 'kind: [')
  const broken = await openmaas(['apply', '-f', file])
  expect(broken.stderr).toMatch(/wrong\.yaml, line 1: .*CONFIG_INVALID/)
})

test('a dangerous deed is shown, and done only with a yes and a reason', async () => {
  await openmaas(['source', 'add', 'acme-host', '/tmp', '--name', 'doomed'])
  const plain = await openmaas(['source', 'remove', 'doomed'])
  expect(plain).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/doomed[^]*--yes/) as unknown,
  })
  const noReason = await openmaas(['source', 'remove', 'doomed', '--yes'])
  expect(noReason.stderr).toMatch(/--reason/)
  const done = await openmaas(['source', 'remove', 'doomed', '--yes', '--reason', 'a test'])
  expect(done.code).toBe(0)
  expect((await openmaas(['source', 'show', 'doomed'])).code).toBe(3)
})
