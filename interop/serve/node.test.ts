/** A storage node on a machine of its own: it joins, keeps a pool, and serves its media. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Namespaces } from '../hosts/namespaces.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { AgentProgram } from './agent.test-support.ts'
import { ServerProgram } from './server.test-support.ts'

const NEEDS = {
  linux: true,
  root: true,
  programs: ['ip', 'nsenter'],
  paths: ['/dev/fuse', '/dev/loop-control'],
}

requires(NEEDS, () => {
  describe('a node in a namespace', () => {
    const directory = new TemporaryDirectory()
    const namespaces = new Namespaces('10.216')
    let server: ServerProgram
    let node: AgentProgram

    beforeAll(async () => {
      const namespace = namespaces.add()
      server = await ServerProgram.start({
        data: directory.join('data'),
        address: '0.0.0.0',
        apiAddress: '127.0.0.1',
        flags: ['--http', '--no-pool', '--names', namespace.server],
      })
      const flags = ['--names', namespace.address]
      const options = { namespace, data: directory.join('node'), kind: 'node', flags } as const
      node = await AgentProgram.join(server.api, options)
      await node.waitOnline(server.api)
    })

    afterAll(async () => {
      await server?.[Symbol.asyncDispose]()
      await node?.[Symbol.asyncDispose]()
      namespaces[Symbol.dispose]()
      const left = findLeftovers([directory.path])
      directory.dispose()
      expect(left).toEqual([])
    })

    test('keeps what the server’s own agent captures, and serves it as a disk', async () => {
      const { api } = server
      const bricks = [directory.join('pool')]
      const made = await api.call('createPool', {
        body: { name: 'far', nodeId: node.hostId, bricks },
      })
      expect(made.passphrase).toMatch(/^[a-z0-9-]{20,}$/)
      const path = directory.join('files')
      mkdirSync(path)
      writeFileSync(`${path}/a.txt`, 'kept far away')
      const { items: hosts } = await api.call('listHosts')
      const hostId = hosts.find(({ kind }) => kind === 'agent')!.id
      const source = await api.call('createSource', { body: { name: 's', hostId, path } })
      const params = { sourceId: source.id }
      const run = await api.call('protectSource', { params, body: {} })
      await api.finish(run.jobId)
      // A node that is killed goes on where it was.
      await node.kill()
      node.begin()
      await node.waitOnline(api)
      const mountPath = directory.join('mounted')
      const body = { sourceId: source.id, hostId, mountPath }
      const plugged = await api.call('plugMedium', { body })
      await api.finish(plugged.jobId)
      expect(readFileSync(`${mountPath}/a.txt`, 'utf8')).toBe('kept far away')
      const medium = { mediumId: plugged.mediumId }
      const ejected = await api.call('ejectMedium', { params: medium, body: {} })
      await api.finish(ejected.jobId)
    })
  })
})
