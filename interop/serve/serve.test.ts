/** One machine, from nothing to a point that is mounted, as an administrator does it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLeftovers } from '../support/leftovers.ts'
import { ServerProgram } from './server.test-support.ts'

requires({ linux: true, root: true, paths: ['/dev/fuse', '/dev/loop-control'] }, () => {
  describe('openmaas serve', () => {
    const directory = new TemporaryDirectory({ inMemory: true })
    let server: ServerProgram

    beforeAll(async () => {
      mkdirSync(directory.join('files'))
      writeFileSync(directory.join('files/hello.txt'), 'hello')
      server = await ServerProgram.start({ data: directory.join('data'), flags: ['--http'] })
    })

    afterAll(async () => {
      await server?.[Symbol.asyncDispose]()
      expect(findLeftovers([directory.path])).toEqual([])
      directory.dispose()
    })

    test('has a pool, a node and an agent from the first moment', async () => {
      const { items: pools } = await server.api.call('listPools')
      expect(pools).toMatchObject([
        { name: 'pool', state: 'online', path: directory.join('data/pool') },
      ])
      const { items: hosts } = await server.api.call('listHosts')
      expect(hosts.map(({ kind, state }) => `${kind} ${state}`).toSorted()).toEqual([
        'agent online',
        'node online',
      ])
    })

    test('captures a directory, mounts the point, and ejects it', async () => {
      const { items: hosts } = await server.api.call('listHosts')
      const agent = hosts.find(({ kind }) => kind === 'agent')!
      const source = await server.api.call('createSource', {
        body: { name: 'files', hostId: agent.id, path: directory.join('files') },
      })
      const run = await server.api.call('protectSource', {
        params: { sourceId: source.id },
        body: {},
      })
      await server.api.finish(run.jobId)
      const { items: points } = await server.api.call('listPoints')
      expect(points).toMatchObject([{ sourceId: source.id, state: 'available', itemCount: 2 }])

      const mountPath = directory.join('mounted')
      const plugged = await server.api.call('mountPoint', {
        params: { pointId: points[0]!.id },
        body: { hostId: agent.id, mountPath },
      })
      await server.api.finish(plugged.jobId)
      expect(readFileSync(`${mountPath}/hello.txt`, 'utf8')).toBe('hello')
      const { jobId } = await server.api.call('ejectMedium', {
        params: { mediumId: plugged.mediumId },
        body: {},
      })
      await server.api.finish(jobId)
      const medium = await server.api.call('getMedium', { params: { mediumId: plugged.mediumId } })
      expect(medium.state).toBe('ejected')
    })
  })
})
