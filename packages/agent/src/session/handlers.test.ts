import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { isMaasError } from '@openmaas/kernel/errors'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import type { CheckedParams, Params, Verb } from '@openmaas/protocols/channel/orders'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DatabasePlugins } from '../database/plugins.ts'
import { makeAgentHandlers } from './handlers.ts'
import type { AgentPorts, DataPath, MediumPort } from './ports.ts'
import { agentSettings } from './settings.ts'
import type { AgentSettings } from './settings.ts'

let site: TemporaryDirectory
beforeEach(() => (site = new TemporaryDirectory()))
afterEach(() => site.dispose())

const asked: string[] = []
const path: DataPath = {
  capture: (params) => {
    asked.push(`capture ${params.path}`)
    return Promise.reject(new Error('enough'))
  },
  restore: (params) => {
    asked.push(`restore ${params.to}`)
    return Promise.resolve({ files: 0, bytes: 0, warningCount: 0, warnings: [] })
  },
}
const media: MediumPort = {
  attach: () => Promise.resolve({ device: '/dev/x', mountPath: null }),
  detach: () => Promise.resolve({ detached: true }),
  attached: () => Promise.resolve({ media: [] }),
  resize: () => Promise.resolve({ sizeBytes: 1 }),
}

async function run<V extends Verb>(
  verb: V,
  params: Params<V>,
  settings: Partial<AgentSettings> = {},
  ports: AgentPorts = { local: path, media },
): Promise<unknown> {
  const handlers = makeAgentHandlers({ ports, settings: agentSettings.parse(settings) })
  const checked = ORDERS[verb].params.parse(params) as CheckedParams<V>
  const context = { signal: new AbortController().signal, progress: () => {} }
  try {
    const handler = handlers[verb] as (p: CheckedParams<V>, c: typeof context) => Promise<unknown>
    return await handler(checked, context)
  } catch (error) {
    if (isMaasError(error)) return error.code
    throw error
  }
}

const capture = (from: string): Params<'source.capture'> => ({
  sourceId: 'src_1',
  sourceName: 's',
  kind: 'files',
  path: from,
  rules: {},
  target: { kind: 'local', poolId: 'pol_1' },
  parentSnapshotId: null,
  requestId: 'r',
  tags: {},
  lockUntil: null,
  bytesPerSecond: null,
})
const restore: Params<'point.restore'> = {
  sourceId: 'src_1',
  snapshotId: 'snp_1',
  kind: 'tree',
  paths: [],
  to: '/restored/',
  conflict: 'fail',
  dryRun: false,
  target: { kind: 'local', poolId: 'pol_1' },
  bytesPerSecond: null,
}

describe('the orders of an agent', () => {
  test('are those of its vocabulary, and none runs a command', () => {
    const databases = new DatabasePlugins([])
    const all = makeAgentHandlers({
      ports: { media, databases },
      settings: agentSettings.parse({}),
    })
    const agents = Object.entries(ORDERS).filter(([, { role }]) => role === 'agent')
    expect(Object.keys(all).toSorted()).toEqual(agents.map(([verb]) => verb).toSorted())
    expect(
      Object.keys(makeAgentHandlers({ ports: {}, settings: agentSettings.parse({}) })),
    ).toEqual(['host.discover', 'host.list', 'source.capture', 'point.restore'])
  })

  test('list a directory by name, with what each entry is', async () => {
    mkdirSync(site.join('d'))
    writeFileSync(site.join('b'), 'xyz')
    symlinkSync('b', site.join('a'))
    expect(await run('host.list', { path: site.path, limit: 2 })).toMatchObject({
      entries: [
        { name: 'a', kind: 'symlink', target: 'b' },
        { name: 'b', kind: 'file', size: 3 },
      ],
      more: true,
    })
    expect(await run('host.list', { path: site.join('none') })).toBe('FS_NOT_FOUND')
    expect(await run('host.list', { path: site.join('b') })).toMatch(/^FS_/)
    expect(await run('host.list', { path: '/' }, { pathsOnly: [site.path] })).toBe('ORDER_REFUSED')
  })

  test('capture absolute paths only, and only where the host allows', async () => {
    asked.length = 0
    expect(await run('source.capture', capture('srv'))).toBe('ORDER_INVALID')
    const only = { pathsOnly: ['/srv'] }
    expect(await run('source.capture', capture('/etc'), only)).toBe('ORDER_REFUSED')
    await expect(run('source.capture', capture('/srv/./x/'), only)).rejects.toThrow('enough')
    expect(asked).toEqual(['capture /srv/x'])
    expect(await run('source.capture', capture('/srv'), {}, {})).toBe('ORDER_UNKNOWN')
  })

  test('restore and attach as far as the host allows; what is attached may always go', async () => {
    asked.length = 0
    expect(await run('point.restore', restore, { allowRestore: false })).toBe('ORDER_REFUSED')
    expect(await run('point.restore', restore)).toMatchObject({ files: 0 })
    expect(asked).toEqual(['restore /restored'])
    const attach = { mediumId: 'm', readOnly: true, mountPath: '/mnt/x', nbd: null }
    const off = { allowMount: false }
    expect(await run('medium.attach', attach, off)).toBe('ORDER_REFUSED')
    expect(await run('medium.attach', attach, { pathsOnly: ['/srv'] })).toBe('ORDER_REFUSED')
    expect(await run('medium.attach', attach)).toMatchObject({ device: '/dev/x' })
    expect(await run('medium.detach', { mediumId: 'm', force: false }, off)).toMatchObject({
      detached: true,
    })
  })
})
