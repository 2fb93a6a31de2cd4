import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Namespaces } from './namespaces.test-support.ts'
import type { Namespace } from './namespaces.test-support.ts'
import { Site } from './site.test-support.ts'

const ENTRY = joinPath(import.meta.dirname, 'agent-process.ts')

requires({ programs: ['ip'], root: true, linux: true }, () => {
  let site: Site
  let namespaces: Namespaces
  const processes: ChildProcess[] = []

  beforeEach(async () => {
    namespaces = new Namespaces()
    site = await Site.start({ address: '0.0.0.0' })
  })
  afterEach(async () => {
    for (const child of processes.splice(0)) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    await site[Symbol.asyncDispose]()
    namespaces[Symbol.dispose]()
  })

  /** One line, as an administrator would run it. @returns the host's id */
  async function startAgent(
    namespace: Namespace,
    token: string,
  ): Promise<{ readonly child: ChildProcess; readonly hostId: string }> {
    const { port, ca } = site.server
    const directory = site.directory.join(namespace.name)
    const url = `https://${namespace.server}:${port}`
    const line = [ENTRY, directory, url, token, ca.fingerprint, namespace.name]
    // ip execs the program, so that its pid is the agent's.
    const command = ['netns', 'exec', namespace.name, process.execPath, ...line]
    const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    processes.push(child)
    let output = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text))
    await waitFor('the agent has an id', () => output.includes('\n') || child.exitCode !== null)
    return { child, hostId: output.trim() }
  }

  describe('two agents in network namespaces', () => {
    test('join by one line each, and are reached by their ids', async () => {
      const { server } = site
      const hosts = new Map<string, Namespace>()
      for (const namespace of [namespaces.add(), namespaces.add()]) {
        const { hostId } = await startAgent(namespace, await server.makeToken())
        hosts.set(hostId, namespace)
      }
      expect(hosts.size).toBe(2)
      for (const [hostId, { name, address }] of hosts) {
        await server.waitOnline(hostId)
        const query = server.catalog.db.selectFrom('host').selectAll().where('id', '=', hostId)
        const row = await query.executeTakeFirstOrThrow()
        expect(row).toMatchObject({ name, state: 'online' })
        expect(JSON.parse(row.aboutJson)).toMatchObject({ addresses: [address] })
        const options = { key: `list:${hostId}`, timeoutMs: 20_000 }
        const params = { path: site.directory.path }
        const listed = await server.orders.order(hostId, 'host.list', params, options)
        expect(listed.entries.map((entry) => entry.name)).toContain('server')
      }
    })

    test('do what they were doing when one is killed and the server restarted', async () => {
      const { server } = site
      const [one, two] = [namespaces.add(), namespaces.add()]
      const first = await startAgent(one, await server.makeToken())
      const second = await startAgent(two, await server.makeToken())
      await server.waitOnline(first.hostId)
      await server.waitOnline(second.hostId)
      const order = (hostId: string, key: string) => {
        const path = site.directory.join(`${key}.gate`)
        const options = { key, timeoutMs: 60_000 }
        return server.orders.order(hostId, 'host.list', { path }, options)
      }
      const begun = (key: string): string[] => {
        const text = readFileSync(site.directory.join(`${key}.gate`), 'utf8')
        return text.trim().split('\n')
      }
      const killed = order(first.hostId, 'killed')
      const kept = order(second.hostId, 'kept').catch((error: unknown) => error)
      await waitFor('both have begun', () => begun('killed').length + begun('kept').length === 2)

      first.child.kill('SIGKILL')
      await once(first.child, 'exit')
      await waitFor('it is gone', () => !server.orders.isConnected(first.hostId))
      const back = await startAgent(one, '')
      expect(back.hostId).toBe(first.hostId)
      await waitFor('it has begun again', () => begun('killed').length === 2)
      writeFileSync(site.directory.join('killed.gate.open'), '')
      expect(await killed).toEqual({ entries: [], more: false })

      await server.stop()
      expect(await kept).toMatchObject({ code: 'HOST_OFFLINE' })
      await server.start()
      await server.waitOnline(second.hostId)
      const again = order(second.hostId, 'kept')
      writeFileSync(site.directory.join('kept.gate.open'), '')
      expect(await again).toEqual({ entries: [], more: false })
      // The same process went on with the same work: it was not begun a second time.
      expect(begun('kept')).toHaveLength(1)
    })
  })
})
