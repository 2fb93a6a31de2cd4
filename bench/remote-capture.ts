/**
 * A capture over the data wire beside the same capture into a pool of the own process: both ends
 * on this machine, through TLS on loopback, on memory disks.
 *
 *   node bench/remote-capture.ts [--size 256 (MiB)] [--rounds 3] [--channels 2]
 *
 * Wall times of a shared machine say little: what counts is CPU time (user and system, all
 * threads) per MiB, of the agent's process and of the node's.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { remoteCapture } from '@openmaas/agent/remote/remote-capture'
import { Pki } from '@openmaas/node/data/pki.test-support'
import { NodeProcess } from '@openmaas/node/node-process.test-support'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import { makeData } from '@openmaas/testkit/data'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'

const MIB = 1 << 20
const FILE_SIZE = 8 * MIB
const CLOCK_TICKS_PER_SECOND = 100

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
    channels: { type: 'string', default: '2' },
  },
})
const sizeMib = Number(values.size)

using site = new TemporaryDirectory({ inMemory: true })
const pki = new Pki(site.path)
const node = await NodeProcess.start({
  directory: site.join('node'),
  tls: pki.node,
  ticketKeys: pki.ticketKeys,
  host: '127.0.0.1',
  dataPort: 0,
  nbdPort: 0,
})
const bricks = [site.join('pool')]
const { poolId } = await node.order('pool.create', { bricks, redundancy: 'single' })

/** New bytes each time: what the pool has already costs less. */
function makeSource(round: number): string {
  const source = site.join(`source-${round}`)
  mkdirSync(source)
  const random = makeData('random', FILE_SIZE, round + 1)
  for (let i = 0; i < (sizeMib * MIB) / FILE_SIZE; i += 1) {
    // Another key for each file, so that no chunk is there twice.
    const file = Buffer.from(random)
    for (let at = 0; at < file.length; at += 512) file.writeUInt32LE(i * 7919 + 1, at)
    writeFileSync(`${source}/${i}`, file)
  }
  return source
}

interface Cost {
  readonly wallMs: number
  readonly agentMs: number
  readonly nodeMs: number
}

async function measure(work: () => Promise<unknown>): Promise<Cost> {
  const [wall, own, nodes] = [performance.now(), process.cpuUsage(), cpuOfMs(node.pid)]
  await work()
  const { user, system } = process.cpuUsage(own)
  return {
    wallMs: performance.now() - wall,
    agentMs: (user + system) / 1000,
    nodeMs: cpuOfMs(node.pid) - nodes,
  }
}

/** User and system time of all threads, from /proc. */
function cpuOfMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND
}

const common = {
  rules: {},
  parentSnapshotId: null,
  tags: {},
  lockUntil: null,
  bytesPerSecond: null,
}

async function captureRemote(path: string, round: number): Promise<void> {
  const params = ORDERS['source.capture'].params.parse({
    ...common,
    sourceId: 'src_1',
    sourceName: 'bench',
    kind: 'files',
    path,
    requestId: `remote-${round}`,
    target: {
      kind: 'node',
      poolId,
      address: `127.0.0.1:${node.ports.dataPort}`,
      fingerprint: pki.fingerprint,
      ticket: pki.ticket({ poolId }),
      channels: Number(values.channels),
    },
  })
  const { signal } = new AbortController()
  await remoteCapture(params, { identity: pki.identity(), signal, progress: () => undefined })
}

/** By the node, straight into its pool. */
async function captureLocal(path: string, round: number): Promise<void> {
  await node.order('source.capture', {
    ...common,
    sourceId: 'src_1',
    sourceName: 'bench',
    kind: 'files',
    path,
    requestId: `local-${round}`,
    target: { kind: 'local', poolId },
  })
}

function show(what: string, { wallMs, agentMs, nodeMs }: Cost): void {
  const perMib = (ms: number): string => (ms / sizeMib).toFixed(2)
  const rate = ((sizeMib * 1000) / wallMs).toFixed(0)
  const cpu = `CPU ms/MiB: agent ${perMib(agentMs)}, node ${perMib(nodeMs)}`
  process.stdout.write(`${what}  ${rate} MiB/s  ${cpu}, both ${perMib(agentMs + nodeMs)}\n`)
}

for (let round = 0; round < Number(values.rounds); round += 1) {
  const local = makeSource(2 * round)
  show('local ', await measure(() => captureLocal(local, round)))
  const remote = makeSource(2 * round + 1)
  show('remote', await measure(() => captureRemote(remote, round)))
}
await node.kill()
