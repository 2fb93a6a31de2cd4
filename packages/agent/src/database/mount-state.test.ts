import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, describe, expect, test } from 'vitest'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { makeAgentHandlers } from '../session/handlers.ts'
import { agentSettings } from '../session/settings.ts'
import { listMounts, whyUnusable } from './mount-state.ts'
import { DatabasePlugins } from './plugins.ts'

const MiB = 1024 ** 2
const ID = 'src_01JABCDEFGHJKMNPQRSTVWXYZ0'
const ROOT = '/mnt/openmaas'
const context = { signal: new AbortController().signal, progress: () => undefined }
const canMount = process.getuid?.() === 0 && existsSync('/dev/loop-control')

/** Files with the time limit that a device in trouble needs. */
const run = (...[program, ...args]: [string, ...string[]]): string =>
  execFileSync(program, args, { encoding: 'utf8', timeout: 60_000, stdio: 'pipe' })

const undone: (() => void)[] = []
afterEach(() => {
  for (const undo of undone.splice(0).toReversed()) undo()
})

function makePoint(): string {
  mkdirSync(ROOT, { recursive: true })
  const point = mkdtempSync(join(ROOT, 'test-'))
  undone.push(() => rmSync(point, { recursive: true, force: true }))
  return point
}

/** A file system of its own on a loop device, as a medium has. */
function mountDisk(type: 'ext4' | 'xfs', sizeBytes: number): { point: string; device: string } {
  const directory = mkdtempSync(join(tmpdir(), 'mount-state-'))
  undone.push(() => rmSync(directory, { recursive: true, force: true }))
  const image = join(directory, 'disk')
  writeFileSync(image, '')
  truncateSync(image, sizeBytes)
  run(`mkfs.${type}`, '-q', image)
  const device = run('losetup', '--find', '--show', image).trim()
  undone.push(() => run('losetup', '--detach', device))
  const point = makePoint()
  run('mount', '-t', type, device, point)
  undone.push(() => run('umount', point))
  return { point, device }
}

function makeHandlers(seen: string[]) {
  const answer = (verb: string) => () => {
    seen.push(verb)
    return Promise.resolve({ state: 'following', reason: '' })
  }
  const verbs = ['seed', 'follow', 'mark', 'activate', 'status', 'unfollow', 'deactivate']
  const methods = Object.fromEntries(verbs.map((verb) => [verb, answer(verb)]))
  const plugin = { engine: 'postgres', title: '', ...methods } as unknown as SourcePlugin
  const databases = new DatabasePlugins([plugin])
  return makeAgentHandlers({ ports: { databases }, settings: agentSettings.parse({}) })
}

const activation = (directory: string, logDirectories: string[] = []) => ({
  engine: 'postgres',
  id: ID,
  directory,
  logDirectories,
  target: { kind: 'snapshot' as const },
  port: null,
  listen: [],
  user: 'u',
  password: 'p',
  settings: {},
  follow: null,
})
const lost = expect.objectContaining({ code: 'MEDIUM_MOUNT_LOST', category: 'unavailable' })

describe('a directory where no medium is mounted', () => {
  test('is told as such when it is missing, and when it is there without its mount', async () => {
    expect(await whyUnusable(`${ROOT}/mdm_none`)).toBe('is not mounted')
    expect(await whyUnusable('/srv/pg/promoted')).toBeNull()
    expect(await whyUnusable(tmpdir())).toBeNull()
  })

  test.skipIf(!canMount)('is given to no plug-in; what runs there can end', async () => {
    const seen: string[] = []
    const handlers = makeHandlers(seen)
    const directory = makePoint()
    const place = { engine: 'postgres', id: ID, directory }
    await expect(handlers['database.activate']!(activation(directory), context)).rejects.toEqual(
      lost,
    )
    const elsewhere = activation(tmpdir(), [directory])
    await expect(handlers['database.activate']!(elsewhere, context)).rejects.toEqual(lost)
    const mark = handlers['database.mark']!({ ...place, connection: null }, context)
    await expect(mark).rejects.toEqual(lost)
    const status = await handlers['database.status']!({ ...place, connection: null }, context)
    expect(status).toMatchObject({ state: 'stopped', mustReseed: false })
    expect(status.reason).toContain('is not mounted')
    expect(seen).toEqual([])
    await handlers['database.deactivate']!({ ...place, immediate: true }, context)
    await handlers['database.unfollow']!({ ...place, connection: null, forget: false }, context)
    expect(seen).toEqual(['deactivate', 'unfollow'])
  })
})

describe.skipIf(!canMount)(
  canMount ? 'a file system that met an error' : 'skipped: the right to mount missing',
  () => {
    test('takes nothing new: its standby is stopped with the reason', async () => {
      const seen: string[] = []
      const handlers = makeHandlers(seen)
      const { point: directory } = mountDisk('ext4', 32 * MiB)
      expect(await listMounts()).toContainEqual({ path: directory, why: null })
      const activate = handlers['database.activate']!
      expect(await activate(activation(directory), context)).toMatchObject({ state: 'following' })
      run('mount', '-o', 'remount,ro', directory)
      await expect(activate(activation(directory), context)).rejects.toEqual(lost)
      const asked = { engine: 'postgres', id: ID, directory, connection: null }
      const status = await handlers['database.status']!(asked, context)
      expect(status.reason).toContain('takes no writes')
      const told = { path: directory, why: expect.stringContaining('takes no writes') }
      expect(await listMounts()).toContainEqual(told)
      expect(seen).toEqual(['activate'])
    })

    test('is seen where the kernel itself gave it up', async () => {
      const { point, device } = mountDisk('ext4', 32 * MiB)
      run('mount', '-o', 'remount,errors=remount-ro', point)
      writeFileSync(`/sys/fs/ext4/${device.slice('/dev/'.length)}/trigger_fs_error`, '1')
      expect(await whyUnusable(point)).toContain('takes no writes')
    })

    test('is seen on an xfs that was shut down', async () => {
      const { point } = mountDisk('xfs', 320 * MiB)
      expect(await whyUnusable(point)).toBeNull()
      run('xfs_io', '-x', '-c', 'shutdown', point)
      expect(await whyUnusable(point)).toContain('met an error')
    })
  },
)
