import { writeFileSync } from 'node:fs'
import { makeAgentHandlers } from '@openmaas/agent/session/handlers'
import { agentSettings } from '@openmaas/agent/session/settings'
import { NodeSite } from '@openmaas/node/node.test-support'
import { makeTree } from '@openmaas/testkit/data'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Site } from './site.test-support.ts'

let site: Site
let node: NodeSite
beforeEach(async () => {
  site = await Site.start()
  node = await NodeSite.make()
})
afterEach(async () => {
  await site[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
})

/** A host whose pool is open in its own process, as in `serve`. */
async function openHost(): Promise<string> {
  const host = await site.joinHost()
  const settings = agentSettings.parse({})
  site.openSession(host, makeAgentHandlers({ ports: { local: node.local }, settings }))
  await site.server.waitOnline(host.identity.hostId)
  return host.identity.hostId
}

async function countSnapshots(): Promise<number> {
  const params = { poolId: node.poolId, after: null, limit: 100 }
  return (await node.order('pool.snapshots', params)).snapshots.length
}

describe('an order to capture', () => {
  test('makes one snapshot, however often it is given, and tells how it goes', async () => {
    const { orders } = site.server
    const hostId = await openHost()
    const source = site.directory.join('source')
    makeTree(source, { files: 200, seed: 1 })
    const params = node.captureParams(source)
    const phases: string[] = []
    const onProgress = ({ phase }: { readonly phase: string }): void => void phases.push(phase)
    const options = { key: 'job_1:capture', timeoutMs: 60_000, onProgress }
    const [first, second] = await Promise.all([
      orders.order(hostId, 'source.capture', params, options),
      orders.order(hostId, 'source.capture', params, options),
    ])
    expect(second).toEqual(first)
    expect(first).toMatchObject({ kind: 'tree', warningCount: 0 })
    // A host that was restarted has forgotten the key, but the pool knows the request.
    const again = { ...options, key: 'job_1:after-a-restart' }
    const third = await orders.order(hostId, 'source.capture', params, again)
    expect(third.snapshotId).toBe(first.snapshotId)
    expect(await countSnapshots()).toBe(1)
    expect(phases.length).toBeGreaterThan(0)
  })

  test('that is cancelled stops, and leaves no snapshot', async () => {
    const { orders } = site.server
    const hostId = await openHost()
    const source = site.directory.join('source')
    makeTree(source, { files: 20, seed: 1 })
    for (let n = 0; n < 16; n += 1) writeFileSync(`${source}/big-${n}`, Buffer.alloc(32 << 20, n))
    const abort = new AbortController()
    let begun = false
    const order = orders.order(hostId, 'source.capture', node.captureParams(source), {
      key: 'k',
      timeoutMs: 60_000,
      signal: abort.signal,
      onProgress: () => (begun = true),
    })
    const ended = order.catch((error: unknown) => error)
    await waitFor('it is under way', () => begun)
    abort.abort()
    expect(await ended).toMatchObject({ code: 'CANCELLED' })
    expect(await countSnapshots()).toBe(0)
    // And the next attempt, with the same key, is a new one.
    const params = { ...node.captureParams(source), requestId: 'r2' }
    const next = orders.order(hostId, 'source.capture', params, { key: 'k', timeoutMs: 60_000 })
    expect((await next).itemCount).toBeGreaterThan(16)
  })
})
