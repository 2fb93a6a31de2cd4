/**
 * The promise of the product on three machines: a server, and two agents in network namespaces of
 * their own. They are protected by a policy that finds them by their labels, while the server is
 * killed again and again; a point of one is mounted on the other.
 *
 * 65 seconds; OPENMAAS_KILL_SECONDS=600 for the long version.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import type { Job } from '@openmaas/api/resources/job'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Namespaces } from '../hosts/namespaces.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { AgentProgram, shareServerAddress } from './agent.test-support.ts'
import { ServerProgram } from './server.test-support.ts'

const KILL_SECONDS = Number(process.env['OPENMAAS_KILL_SECONDS'] ?? 65)
const KILL_EVERY_MS = 30_000

const NEEDS = {
  linux: true,
  root: true,
  programs: ['ip', 'nsenter'],
  paths: ['/dev/fuse', '/dev/loop-control'],
}

requires(NEEDS, () => {
  describe('two hosts', () => {
    const directory = new TemporaryDirectory()
    const namespaces = new Namespaces('10.214')
    const agents: AgentProgram[] = []
    const sources: string[] = []
    let server: ServerProgram

    beforeAll(async () => {
      const made = [namespaces.add(), namespaces.add()]
      const name = shareServerAddress(made)
      server = await ServerProgram.start({
        data: directory.join('data'),
        address: '0.0.0.0',
        apiAddress: '127.0.0.1',
        flags: ['--http', '--names', name],
      })
      for (const namespace of made) {
        const options = { namespace, data: directory.join(namespace.name), labels: { site: 'x' } }
        agents.push(await AgentProgram.join(server.api, options))
      }
    })

    afterAll(async () => {
      for (const agent of agents) await agent[Symbol.asyncDispose]()
      await server?.[Symbol.asyncDispose]()
      namespaces[Symbol.dispose]()
      const left = findLeftovers([directory.path])
      directory.dispose()
      expect(left).toEqual([])
    })

    test('join by one line each', async () => {
      for (const agent of agents) await agent.waitOnline(server.api)
    })

    test('are protected by a policy that finds them by their labels', async () => {
      const { api } = server
      await api.call('createPolicy', {
        body: {
          name: 'minute',
          selector: { sla: 'minute' },
          // All of them: the points are counted in the end.
          spec: { rpo: '1m', retention: { last: 1000 } },
        },
      })
      for (const { hostId, options } of agents) {
        const path = `${options.data}-files`
        mkdirSync(path)
        writeFileSync(`${path}/whose.txt`, options.namespace.name)
        const body = { name: hostId, hostId, path, labels: { sla: 'minute' } }
        sources.push((await api.call('createSource', { body })).id)
      }
      for (const sourceId of sources) {
        await waitFor('it has a point', async () => {
          const query = { 'filter[sourceId]': sourceId }
          return (await api.call('listPoints', { query })).items.length > 0
        })
        const compliance = await api.call('getSourceCompliance', { params: { sourceId } })
        expect(compliance.state).toBe('compliant')
      }
    })

    test('use each other’s points: mounted within 3 s, read, ejected', async () => {
      const { api } = server
      const [owner, user] = agents
      const mountPath = directory.join('mounted')
      const askedMs = performance.now()
      const plugged = await api.call('plugMedium', {
        body: { sourceId: sources[0]!, hostId: user!.hostId, mountPath },
        wait: '20s',
      })
      await api.finish(plugged.jobId)
      const tookMs = performance.now() - askedMs
      expect(readFileSync(`${mountPath}/whose.txt`, 'utf8')).toBe(owner!.options.namespace.name)
      expect(tookMs).toBeLessThan(3000)
      const params = { mediumId: plugged.mediumId }
      const ejected = await api.call('ejectMedium', { params, body: {} })
      await api.finish(ejected.jobId)
      expect(existsSync(`${mountPath}/whose.txt`)).toBe(false)
    })

    test(
      `stay protected while the server is killed every 30 s for ${KILL_SECONDS} s`,
      async () => {
        const { api } = server
        const mountPath = directory.join('leased')
        const leased = await api.call('plugMedium', {
          body: {
            sourceId: sources[1]!,
            hostId: agents[0]!.hostId,
            mountPath,
            lifetimeSeconds: 60,
          },
        })
        await api.finish(leased.jobId)
        const endMs = performance.now() + KILL_SECONDS * 1000
        while (performance.now() < endMs) {
          await delay(KILL_EVERY_MS)
          await server.kill()
          await server.begin()
        }
        for (const agent of agents) await agent.waitOnline(api)
        const params = { mediumId: leased.mediumId }
        await waitFor(
          'the lease is reclaimed',
          async () => {
            return (await api.call('getMedium', { params })).state === 'ejected'
          },
          { timeoutMs: 120_000 },
        )
        expect(existsSync(`${mountPath}/whose.txt`)).toBe(false)
        await expectKept()
      },
      (KILL_SECONDS + 300) * 1000,
    )

    /** No job twice, lost or stuck, and every source as young as was promised. */
    async function expectKept(): Promise<void> {
      const { api } = server
      for (const sourceId of sources) {
        await waitFor(
          'it is compliant',
          async () => {
            const compliance = await api.call('getSourceCompliance', { params: { sourceId } })
            return compliance.state === 'compliant'
          },
          { timeoutMs: 120_000 },
        )
        const { items: points } = await api.call('listPoints', {
          query: { 'filter[sourceId]': sourceId, limit: 500 },
        })
        expect(new Set(points.map(({ snapshotId }) => snapshotId)).size).toBe(points.length)
        // The first minute's, and one for each that has gone by, less the one under way.
        expect(points.length).toBeGreaterThanOrEqual(Math.floor(KILL_SECONDS / 60))
        const { items: jobs } = await api.call('listJobs', {
          query: { 'filter[sourceId]': sourceId, 'filter[kind]': 'protect', limit: 500 },
        })
        expect(jobs.filter(({ state }) => state === 'failed')).toEqual([])
        expectOneAtATime(jobs)
        const done = jobs.filter(({ state }) => state === 'succeeded' || state === 'warning')
        const pointIds = done.map(({ pointId }) => pointId)
        expect(new Set(pointIds).size).toBe(done.length)
      }
    }
  })
})

function expectOneAtATime(jobs: readonly Job[]): void {
  const spans = jobs
    .filter(({ startedAt }) => startedAt !== null)
    .map(({ id, startedAt, endedAt }) => ({
      id,
      begin: Date.parse(startedAt!),
      end: endedAt === null ? Infinity : Date.parse(endedAt),
    }))
    .toSorted((a, b) => a.begin - b.begin)
  for (const [i, span] of spans.entries()) {
    const next = spans[i + 1]
    if (next !== undefined) expect(span.end, span.id).toBeLessThanOrEqual(next.begin)
  }
}
