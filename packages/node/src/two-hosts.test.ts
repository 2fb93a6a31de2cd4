/**
 * Node and agent in two network namespaces, joined by one line that is cut at times; and a node
 * that is killed in the middle of a capture.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { remoteCapture } from '@openmaas/agent/remote/remote-capture'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import type { Result } from '@openmaas/protocols/channel/orders'
import { Pki } from './data/pki.test-support.ts'
import { NodeProcess } from './node-process.test-support.ts'

const ADDRESS = '10.213.77.2'

requires({ programs: ['openssl', 'ip'], paths: ['/run'], root: true }, () => {
  const name = `h5n${process.pid}`
  const site = new TemporaryDirectory({ inMemory: true })
  const source = site.join('source')
  let pki: Pki
  let node: NodeProcess
  let poolId: string

  const ip = (command: string): void => {
    execFileSync('ip', command.split(' '), { stdio: 'pipe' })
  }
  const start = (dataPort = 0, nbdPort = 0): Promise<NodeProcess> => {
    const directory = site.join('node')
    const tls = pki.node
    const { ticketKeys } = pki
    const setup = { directory, tls, ticketKeys, host: ADDRESS, dataPort, nbdPort }
    return NodeProcess.start(setup, ['ip', 'netns', 'exec', name])
  }

  beforeAll(async () => {
    ip(`netns add ${name}`)
    ip(`link add ${name}a type veth peer name ${name}b`)
    ip(`link set ${name}b netns ${name}`)
    ip(`addr add 10.213.77.1/24 dev ${name}a`)
    ip(`link set ${name}a up`)
    ip(`-n ${name} addr add ${ADDRESS}/24 dev ${name}b`)
    ip(`-n ${name} link set ${name}b up`)
    mkdirSync(site.join('pki'))
    pki = new Pki(site.join('pki'))
    node = await start()
    const bricks = [site.join('pool')]
    poolId = (await node.order('pool.create', { bricks, redundancy: 'single' })).poolId
    mkdirSync(source)
    for (let i = 0; i < 40; i += 1) {
      writeFileSync(`${source}/file${i}`, Buffer.alloc(50_000, `${i} `))
    }
  })
  afterAll(async () => {
    await node.kill()
    ip(`netns del ${name}`)
    site.dispose()
  })

  const capture = (
    requestId: string,
    bytesPerSecond: number | null = null,
  ): Promise<Result<'source.capture'>> => {
    const params = ORDERS['source.capture'].params.parse({
      sourceId: 'src_1',
      sourceName: 'etc',
      kind: 'files',
      path: source,
      rules: {},
      target: {
        kind: 'node',
        poolId,
        address: `${ADDRESS}:${node.ports.dataPort}`,
        fingerprint: pki.fingerprint,
        ticket: pki.ticket({ poolId }),
        channels: 2,
      },
      parentSnapshotId: null,
      requestId,
      tags: {},
      lockUntil: null,
      bytesPerSecond,
    })
    const { signal } = new AbortController()
    const identity = pki.identity()
    return remoteCapture(params, { identity, signal, progress: () => undefined })
  }
  const snapshots = async (): Promise<number> =>
    (await node.order('pool.snapshots', { poolId, after: null, limit: 100 })).snapshots.length

  test('a line that is cut for a while makes a capture wait, not fail', async () => {
    const running = capture('r1', 600_000)
    await delay(1500)
    ip(`-n ${name} link set ${name}b down`)
    await delay(2000)
    ip(`-n ${name} link set ${name}b up`)
    expect((await running).sizeBytes).toBe(40 * 50_000)
    expect(await snapshots()).toBe(1)
  })

  test('a node killed in the middle keeps nothing of it, and is itself again', async () => {
    const running = Promise.allSettled([capture('r2', 300_000)])
    await delay(2000)
    const { dataPort, nbdPort } = node.ports
    await node.kill()
    const reason = { code: 'DATA_UNREACHABLE' }
    expect(await running).toMatchObject([{ status: 'rejected', reason }])
    node = await start(dataPort, nbdPort)
    expect(await snapshots()).toBe(1)
    await capture('r2')
    expect(await snapshots()).toBe(2)
    const check = await node.order('pool.check', { poolId, data: true, snapshotIds: [] })
    expect(check.problems).toEqual([])
  })
})
