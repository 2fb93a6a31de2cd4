import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { LOG_SIZE_MAX } from '@openmaas/source-kit/run-logs'
import { waitFor } from '@openmaas/testkit/wait-for'
import { makeAgentHandlers } from '../session/handlers.ts'
import { agentSettings } from '../session/settings.ts'
import { DatabasePlugins } from './plugins.ts'

const ID = 'src_01JABCDEFGHJKMNPQRSTVWXYZ0'
const OTHER = 'src_01JABCDEFGHJKMNPQRSTVWXYZ1'
const place = { engine: 'postgres', id: ID, directory: '/mnt/openmaas/a' }
const deactivate = { ...place, immediate: false }
const context = { signal: new AbortController().signal, progress: () => undefined }

/** Says what it was asked, in the order in which that began and ended. */
function makePlugin(seen: string[], engine = 'postgres'): SourcePlugin {
  const plugin = {
    engine,
    title: engine,
    discover: () => Promise.resolve({ instances: [{ engine }] }),
    deactivate: async ({ id }: { readonly id: string }) => {
      seen.push(`begin ${id}`)
      await delay(5)
      seen.push(`end ${id}`)
      return { stopped: true }
    },
    activate: async () => Promise.resolve({ port: 5433 }),
    mark: () => Promise.resolve({ atMs: 1 }),
  }
  return plugin as unknown as SourcePlugin
}

function makeHandlers(plugins: SourcePlugin[], settings: object = {}) {
  const databases = new DatabasePlugins(plugins)
  return makeAgentHandlers({ ports: { databases }, settings: agentSettings.parse(settings) })
}

describe('orders about databases', () => {
  test('reach the plug-in of their engine, and name those there are when there is none', async () => {
    const handlers = makeHandlers([makePlugin([]), makePlugin([], 'mysql')])
    const { instances } = await handlers['database.discover']!({}, context)
    expect(instances.map(({ engine }) => engine)).toEqual(['postgres', 'mysql'])
    expect(await handlers['database.deactivate']!(deactivate, context)).toEqual({ stopped: true })
    const unknown = { ...deactivate, engine: 'oracle' }
    expect(() => handlers['database.deactivate']!(unknown, context)).toThrow(
      expect.objectContaining({ code: 'DATABASE_ENGINE_UNKNOWN' }),
    )
  })

  test('go one after the other for one database, and side by side for two', async () => {
    const seen: string[] = []
    const stop = makeHandlers([makePlugin(seen)])['database.deactivate']!
    await Promise.all([stop(deactivate, context), stop(deactivate, context)])
    expect(seen).toEqual([`begin ${ID}`, `end ${ID}`, `begin ${ID}`, `end ${ID}`])
    seen.length = 0
    await Promise.all([stop(deactivate, context), stop({ ...deactivate, id: OTHER }, context)])
    expect(seen.slice(0, 2)).toEqual([`begin ${ID}`, `begin ${OTHER}`])
  })

  test('leave nothing unwritten above the disk when they mark a moment', async () => {
    const mark = makeHandlers([makePlugin([])])['database.mark']!
    const here = { ...place, directory: tmpdir(), connection: null }
    expect(await mark(here, context)).toEqual({ atMs: 1 })
    // What cannot be flushed is no good moment.
    const gone = mark({ ...here, directory: '/nothing/here' }, context)
    await expect(gone).rejects.toMatchObject({ code: 'DATABASE_PROGRAM_FAILED' })
  })

  // The agent's own place: nothing else would show that it looks there by itself.
  test.skipIf(process.getuid?.() !== 0)('bound the logs of all servers of this host', async () => {
    const run = `/run/openmaas-db/vdb_test${process.pid}`
    mkdirSync(run, { recursive: true })
    try {
      const log = join(run, 'server.log')
      writeFileSync(log, Buffer.alloc(LOG_SIZE_MAX + 1))
      makeHandlers([makePlugin([])])
      await waitFor('it is emptied', () => statSync(log).size === 0, { timeoutMs: 60_000 })
    } finally {
      rmSync(run, { recursive: true })
    }
  })

  test('that were cancelled while they waited are not begun', async () => {
    const seen: string[] = []
    const stop = makeHandlers([makePlugin(seen)])['database.deactivate']!
    const controller = new AbortController()
    const first = stop(deactivate, context)
    const second = stop(deactivate, { ...context, signal: controller.signal })
    controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'CANCELLED' })
    await first
    expect(seen).toEqual([`begin ${ID}`, `end ${ID}`])
  })

  test('stay within the paths that the host allows, also the logs, and start nothing unasked', () => {
    const activate = {
      ...place,
      logDirectories: ['/elsewhere'],
      target: { kind: 'snapshot' as const },
      port: null,
      listen: ['127.0.0.1'],
      user: 'openmaas',
      password: 'x',
      settings: {},
      follow: null,
    }
    const narrow = makeHandlers([makePlugin([])], { pathsOnly: ['/mnt'] })
    const refused = expect.objectContaining({ code: 'ORDER_REFUSED' })
    expect(() => narrow['database.activate']!(activate, context)).toThrow(refused)
    const away = { ...deactivate, directory: '/etc' }
    expect(() => narrow['database.deactivate']!(away, context)).toThrow(refused)
    const closed = makeHandlers([makePlugin([])], { allowMount: false })
    expect(() => closed['database.activate']!(activate, context)).toThrow(refused)
  })
})
