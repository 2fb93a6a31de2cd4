/** What goes wrong at customers: each time a problem with a code, nothing lost, and a way back. */
import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Namespaces } from '../hosts/namespaces.test-support.ts'
import type { Namespace } from '../hosts/namespaces.test-support.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { attempt } from '../support/program.ts'
import { AgentProgram, shareServerAddress } from './agent.test-support.ts'
import { ServerProgram } from './server.test-support.ts'

const NEEDS = {
  linux: true,
  root: true,
  programs: ['ip', 'nsenter', 'mount'],
  paths: ['/dev/fuse', '/dev/loop-control'],
}
const IS_LONG = process.env['OPENMAAS_LONG'] !== undefined
/** A host is away for half a minute before it counts as gone, and a job tries twice. */
const GONE = { timeoutMs: 180_000 }

requires(NEEDS, () => {
  describe('in trouble', () => {
    const directory = new TemporaryDirectory()
    const namespaces = new Namespaces('10.215')
    const smallPool = directory.join('small')
    let namespace: Namespace
    let server: ServerProgram
    let agent: AgentProgram
    let sourceId: string
    let localHostId: string

    beforeAll(async () => {
      namespace = namespaces.add()
      server = await ServerProgram.start({
        data: directory.join('data'),
        address: '0.0.0.0',
        apiAddress: '127.0.0.1',
        flags: ['--http', '--names', namespace.server],
      })
      agent = await AgentProgram.join(server.api, { namespace, data: directory.join('agent') })
      await agent.waitOnline(server.api)
      const files = directory.join('files')
      mkdirSync(files)
      writeFileSync(`${files}/a.txt`, 'precious')
      const { items: hosts } = await server.api.call('listHosts')
      localHostId = hosts.find(({ id, kind }) => kind === 'agent' && id !== agent.hostId)!.id
      sourceId = await protect('precious', localHostId, files)
    })

    afterAll(async () => {
      await agent?.[Symbol.asyncDispose]()
      await server?.[Symbol.asyncDispose]()
      namespaces[Symbol.dispose]()
      await attempt(['umount', '--lazy', smallPool])
      const left = findLeftovers([directory.path])
      directory.dispose()
      expect(left).toEqual([])
    })

    async function protect(name: string, hostId: string, path: string): Promise<string> {
      const source = await server.api.call('createSource', { body: { name, hostId, path } })
      await server.api.finish(await begin(source.id))
      return source.id
    }

    async function begin(id: string): Promise<string> {
      const asked = await server.api.call('protectSource', { params: { sourceId: id }, body: {} })
      return asked.jobId
    }

    test('a document that names what is not there is refused whole', async () => {
      const metadata = { name: 'other' }
      const head = { apiVersion: 'openmaas/v1' } as const
      const policy = { ...head, kind: 'Policy', metadata, spec: { rpo: '1h' } }
      const source = {
        ...head,
        kind: 'Source',
        metadata,
        spec: { host: 'nobody', path: '/srv', policy: 'platinum' },
      }
      const body = { documents: [policy, source] } as never
      await expect(server.api.call('applyDocuments', { body })).rejects.toMatchObject({
        problem: { code: expect.stringMatching(/^DOCUMENT_|^REQUEST_INVALID/) as unknown },
      })
      const { items } = await server.api.call('listPolicies')
      expect(items.map(({ name }) => name)).not.toContain('other')
    })

    test('a selector that no source matches protects nothing, and says so', async () => {
      const body = { spec: { rpo: '1h' }, selector: { sla: 'platinun' } }
      const preview = await server.api.call('previewPolicy', { body })
      expect(JSON.stringify(preview)).not.toContain(sourceId)
      const compliance = await server.api.call('getSourceCompliance', { params: { sourceId } })
      expect(compliance).toMatchObject({ state: 'unprotected' })
      expect(compliance.reasons[0]?.text).toMatch(/\w+/)
    })

    test('a machine with a wrong clock is protected all the same, and its skew is known', async () => {
      const { api } = server
      const late = 'const now = Date.now; Date.now = () => now() + 3 * 86400000'
      const data = directory.join('late')
      const second = namespaces.add()
      shareServerAddress([namespace, second])
      await using other = await AgentProgram.join(api, {
        namespace: second,
        data,
        environment: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(late)}` },
      })
      await other.waitOnline(api)
      const host = await api.call('getHost', { params: { hostId: other.hostId } })
      expect(host.clockSkewMs).toBeGreaterThan(2 * 86_400_000)
      mkdirSync(`${data}-files`)
      const id = await protect('late', other.hostId, `${data}-files`)
      const { items } = await api.call('listPoints', { query: { 'filter[sourceId]': id } })
      expect(items).toHaveLength(1)
    })

    test('a host that comes back while a medium is plugged has it in the end', async () => {
      const { api } = server
      const mountPath = directory.join('returned')
      const body = { sourceId, hostId: agent.hostId, mountPath }
      const plugged = await api.call('plugMedium', { body })
      await agent.kill()
      agent.begin()
      await api.finish(plugged.jobId)
      expect(readFileSync(`${mountPath}/a.txt`, 'utf8')).toBe('precious')
      const params = { mediumId: plugged.mediumId }
      const eject = await api.call('ejectMedium', { params, body: {} })
      await api.finish(eject.jobId)
    })

    // Two minutes: a host that was just lost is waited for.
    const longTest = IS_LONG ? test : () => undefined
    longTest(
      'a host that is gone gets no medium, and nothing stays behind; back again, it does',
      async () => {
        const { api } = server
        await agent.kill()
        await waitFor(
          'it counts as gone',
          async () => {
            const host = await api.call('getHost', { params: { hostId: agent.hostId } })
            return host.state === 'offline'
          },
          GONE,
        )
        const mountPath = directory.join('mounted')
        const body = { sourceId, hostId: agent.hostId, mountPath }
        const plugged = await api.call('plugMedium', { body })
        const params = { mediumId: plugged.mediumId }
        const job = await waitFor(
          'the job has ended',
          async () => {
            const found = await api.call('getJob', { params: { jobId: plugged.jobId } })
            return found.endedAt !== null && found
          },
          GONE,
        )
        expect(job).toMatchObject({ state: 'failed', problem: { code: 'HOST_OFFLINE' } })
        expect((await api.call('getMedium', { params })).state).toBe('failed')
        expect(findLeftovers([plugged.mediumId, `${directory.path}/data/pool/media`])).toEqual([])

        agent.begin()
        await agent.waitOnline(api)
        const second = await api.call('plugMedium', { body })
        await api.finish(second.jobId)
        expect(readFileSync(`${mountPath}/a.txt`, 'utf8')).toBe('precious')
        const eject = await api.call('ejectMedium', {
          params: { mediumId: second.mediumId },
          body: {},
        })
        await api.finish(eject.jobId)
      },
    )

    test('a full disk of the node fails the job, keeps every point, and is over with room', async () => {
      const { api } = server
      mkdirSync(smallPool)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=700m', 'tmpfs', smallPool])
      const { items: hosts } = await api.call('listHosts')
      const nodeId = hosts.find(({ kind }) => kind === 'node')!.id
      const bricks = [`${smallPool}/pool`]
      const made = await api.call('createPool', { body: { name: 'small', nodeId, bricks } })
      const path = directory.join('growing')
      mkdirSync(path)
      writeFileSync(`${path}/small`, 'first')
      const source = await api.call('createSource', {
        body: { name: 'growing', hostId: localHostId, path, poolId: made.pool.id },
      })
      await api.finish(await begin(source.id))
      const ballast = `${smallPool}/ballast`
      execFileSync('fallocate', ['-l', '500m', ballast])
      writeFileSync(`${path}/large`, randomFillSync(Buffer.alloc(250 * 1024 * 1024)))
      const jobId = await begin(source.id)
      const found = await waitFor(
        'the disk is full',
        async () => {
          const job = await api.call('getJob', { params: { jobId } })
          const problem = job.problem ?? job.steps.at(-1)?.problem
          return problem !== null && problem !== undefined && problem
        },
        GONE,
      )
      expect(['POOL_FULL', 'FS_NO_SPACE']).toContain(found.code)
      const query = { 'filter[sourceId]': source.id }
      expect((await api.call('listPoints', { query })).items).toHaveLength(1)
      rmSync(ballast)
      const job = await waitFor(
        'the job has ended',
        async () => {
          const now = await api.call('getJob', { params: { jobId } })
          return now.endedAt !== null && now
        },
        GONE,
      )
      if (job.state !== 'succeeded') await api.finish(await begin(source.id))
      expect((await api.call('listPoints', { query })).items).toHaveLength(2)
    })
  })
})
