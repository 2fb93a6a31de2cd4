/** Who is in the way of an eject: real processes, found by what they hold. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listUsers, mediumBusy } from './mount-users.ts'

let site: TemporaryDirectory
let children: ChildProcess[]

beforeEach(() => {
  site = new TemporaryDirectory()
  children = []
  mkdirSync(site.join('mount/below'), { recursive: true })
  mkdirSync(site.join('mount-2'))
  writeFileSync(site.join('mount/file'), 'x')
})
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
  }
  site.dispose()
})

/** A shell that holds what the test is about, and says when it does. */
async function hold(cwd: string, script = ''): Promise<number> {
  const child = spawn('sh', ['-c', `${script} echo held; read line`], {
    cwd,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  children.push(child)
  await once(child.stdout!, 'data')
  return child.pid!
}

test('who stands in the directory, or has a file of it open, is named', async () => {
  const inside = await hold(site.join('mount/below'))
  const reader = await hold('/', `exec 7<${site.join('mount/file')};`)
  await hold(site.join('mount-2'))
  const users = listUsers(site.join('mount'))
  expect(new Set(users.map(({ pid }) => pid))).toEqual(new Set([inside, reader]))
  expect(new Set(users.map(({ command }) => command))).toEqual(new Set(['sh']))
  const error = mediumBusy(site.join('mount'))
  expect(error.code).toBe('MEDIUM_BUSY')
  expect(error.message).toContain(`sh (pid ${inside})`)
  expect(error.details).toMatchObject({ users: expect.arrayContaining([`${reader} sh`]) })
})

test('whoever cannot be seen is not made up, and a mount below is named', () => {
  expect(listUsers(site.join('mount'))).toEqual([])
  expect(mediumBusy(site.join('mount')).message).toContain('cannot be seen from here')
  expect(mediumBusy('/dev').message).toContain('the mount at /dev/')
})
