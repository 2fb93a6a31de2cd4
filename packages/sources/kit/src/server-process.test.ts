import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import {
  findServer,
  killProcess,
  type ServerCommand,
  serverLogTail,
  sessionMembers,
  startServer,
  stopServer,
} from './server-process.ts'

let directory: TemporaryDirectory
let server: ServerCommand
const STOP = { signal: 'SIGTERM', timeoutMs: 10_000 } as const

beforeEach(() => {
  directory = new TemporaryDirectory()
  const script = `echo run $$ >>${directory.path}/runs; exec sleep 300`
  server = shell(script, true)
})

afterEach(async () => {
  await stopServer(server, STOP)
  directory[Symbol.dispose]()
})

function shell(script: string, restart: boolean): ServerCommand {
  return { run: directory.path, name: 'server', command: ['sh', '-c', script], user: null, restart }
}

/** Pids, in the order of the starts. */
const runs = (): number[] => {
  const path = join(directory.path, 'runs')
  if (!existsSync(path)) return []
  return Array.from(readFileSync(path, 'utf8').matchAll(/run (\d+)/g), (match) => Number(match[1]))
}

test('a server that runs is found, and not started a second time', async () => {
  const record = await startServer(server)
  await waitFor('it runs', () => runs().length === 1)
  expect(findServer(server)).toEqual(record)
  expect(await startServer(server)).toEqual(record)
  expect(runs()).toHaveLength(1)
})

test('a server that is killed is started again by its keeper', async () => {
  await startServer(server)
  await waitFor('it runs', () => runs().length === 1)
  killProcess(runs()[0]!, 'SIGKILL')
  await waitFor('it runs again', () => runs().length === 2)
  expect(findServer(server)).not.toBeNull()
})

test('a stopped server leaves neither keeper nor process, and is not started again', async () => {
  const record = await startServer(server)
  await waitFor('it runs', () => runs().length === 1)
  expect(await stopServer(server, STOP)).toBe(true)
  expect(sessionMembers(record.pid)).toEqual([])
  expect(findServer(server)).toBeNull()
  expect(await stopServer(server, STOP)).toBe(false)
})

test('a server whose keeper was killed is still found, and can be stopped', async () => {
  const record = await startServer(server)
  await waitFor('it runs', () => runs().length === 1)
  killProcess(record.pid, 'SIGKILL')
  await waitFor('the keeper is gone', () => !sessionMembers(record.pid).includes(record.pid))
  expect(findServer(server)).toEqual(record)
  expect(await stopServer(server, STOP)).toBe(true)
  expect(sessionMembers(record.pid)).toEqual([])
})

test('one that ignores the signal is killed after the time', async () => {
  server = shell(
    `trap '' TERM; echo run $$ >>${directory.path}/runs; while :; do sleep 1; done`,
    false,
  )
  const record = await startServer(server)
  await waitFor('it runs', () => runs().length === 1)
  expect(await stopServer(server, { signal: 'SIGTERM', timeoutMs: 50 })).toBe(true)
  expect(sessionMembers(record.pid)).toEqual([])
})

test('a process of another name under the recorded pid is not taken for the server', async () => {
  const record = await startServer(server)
  await waitFor('it runs', () => runs().length === 1)
  await stopServer(server, STOP)
  const { writeState } = await import('./state-file.ts')
  writeState(join(directory.path, 'server.json'), { ...record, pid: process.pid })
  expect(findServer(server)).toBeNull()
})

test('what it prints is in its log, and a missing program is named', async () => {
  server = shell('echo what went wrong >&2; exec sleep 300', false)
  await startServer(server)
  await waitFor('it says so', async () => (await serverLogTail(server)).includes('what went wrong'))
  await stopServer(server, STOP)
  const absent = { ...server, command: ['/does/not/exist'] }
  await expect(startServer(absent)).rejects.toMatchObject({ code: 'MISSING_PROGRAM' })
})
