/**
 * A volume that is written to all the time: how long a freeze takes, what it costs the writes that
 * come meanwhile, how fast a seal is, and how much a point of scattered writes stores.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { plug } from '@openmaas/agent/media/plug'
import { eject } from '@openmaas/agent/media/eject'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { SeededRandom } from '@openmaas/kernel/random'
import { GiB, KiB, MiB } from '@openmaas/kernel/units'
import { makeNodeHandlers } from '@openmaas/node/handlers'
import { Node } from '@openmaas/node/node'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import { parseNbdAddress } from '@openmaas/protocols/nbd/listen-address'
import { formatTable, say } from '../output.ts'
import { type Context, withScratch } from './context.ts'

const MEDIUM = 'vol_bench'
/** Writes under way at once, as a database has them. */
const DEPTH = 8
const BLOCK = 8 * KiB
/** What is written to at random: a point of it holds all of it soon. */
const HOT_BYTES = 256 * MiB
/** A freeze every so often, and a seal of every tenth. */
const PAUSE_MS = 100

interface Site {
  readonly node: Node
  readonly poolId: string
  readonly client: NbdClient
  readonly handlers: ReturnType<typeof makeNodeHandlers>
}

export async function benchVolume(context: Context): Promise<string> {
  const rows = await withScratch(context, (directory) => measureVolume(context, directory))
  return `## A volume under writes\n\n${formatTable(['what', 'result'], rows)}`
}

async function measureVolume(context: Context, directory: string): Promise<string[][]> {
  const node = await Node.open({ directory: join(directory, 'node') })
  try {
    mkdirSync(join(directory, 'pool'))
    const handlers = makeNodeHandlers(node)
    const bricks = [join(directory, 'pool')]
    const { poolId } = await handlers['pool.create']({ bricks, redundancy: 'single' }, CONTEXT)
    const { access } = await node.pool(poolId)
    const sizeBytes = 8 * GiB
    const order = { poolId, requestId: 'make', sourceName: 'bench', sizeBytes, grainBytes: 65_536 }
    const { snapshotId } = await handlers['volume.create'](order, CONTEXT)
    const { medium } = await plug(access, {
      snapshotId: snapshotId as SnapshotId,
      sourceName: 'bench',
      readOnly: false,
      attach: false,
      mount: false,
      nbd: 'unix',
      controlId: MEDIUM,
    })
    const address = parseNbdAddress(medium.attachment!.nbd!)
    const client = await NbdClient.connect({ address, exportName: medium.id })
    try {
      const site = { node, poolId, client, handlers }
      const freezes = await measureFreezes(site, context.quick ? 20 : 100)
      return [...freezes, ...(await measureSeal(site, context.quick ? 256 * MiB : 2 * GiB))]
    } finally {
      await client.close()
      await eject(access, medium, { force: true, keep: false })
    }
  } finally {
    await node.close()
  }
}

const CONTEXT = { signal: new AbortController().signal, progress: () => undefined }

async function measureFreezes(site: Site, count: number): Promise<string[][]> {
  say(`${count} freezes under writes`)
  const random = new SeededRandom(1)
  const latencies: number[] = []
  const freezes: number[] = []
  let over = false
  const write = async (): Promise<void> => {
    while (!over) {
      const offset = random.below(HOT_BYTES / BLOCK) * BLOCK
      const beginMs = performance.now()
      await site.client.write(offset, random.bytes(BLOCK))
      latencies.push(performance.now() - beginMs)
    }
  }
  const writers = Array.from({ length: DEPTH }, write)
  const seals: { readBytes: number }[] = []
  for (let number = 0; number < count; number += 1) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    const requestId = `freeze${number}`
    const beginMs = performance.now()
    await site.handlers['medium.freeze'](place(site, requestId), CONTEXT)
    freezes.push(performance.now() - beginMs)
    if (number % 10 === 9) seals.push(await seal(site, requestId))
  }
  over = true
  await Promise.all(writers)
  const read = seals.reduce((sum, { readBytes }) => sum + readBytes, 0)
  const written = latencies.length * BLOCK
  return [
    ['freeze, p50 and p99', `${ms(quantile(freezes, 0.5))} and ${ms(quantile(freezes, 0.99))}`],
    ['write meanwhile, p50, p99 and longest', threeOf(latencies)],
    ['writes a second, of 8 KiB at depth 8', `${rate(latencies.length, latencies)}`],
    ['read by seals for each byte written', (read / written).toFixed(1)],
  ]
}

async function measureSeal(site: Site, bytes: number): Promise<string[][]> {
  say(`seal of ${bytes / MiB} MiB`)
  const random = new SeededRandom(2)
  const piece = random.bytes(4 * MiB)
  for (let at = 0; at < bytes; at += piece.length) {
    piece.writeDoubleLE(at, 0)
    await site.client.write(at, random.below(2) === 0 ? piece : random.bytes(piece.length))
  }
  await site.client.flush()
  await site.handlers['medium.freeze'](place(site, 'full'), CONTEXT)
  const [cpu, beginMs] = [process.cpuUsage(), performance.now()]
  const { readBytes } = await seal(site, 'full')
  const wallS = (performance.now() - beginMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const cpuS = (user + system) / 1e6
  return [
    ['seal and rebase', `${Math.round(readBytes / wallS / 1e6)} MB/s, ${wallS.toFixed(2)} s`],
    ['the same for each second of CPU', `${Math.round(readBytes / cpuS / 1e6)} MB`],
  ]
}

function place({ poolId }: Site, requestId: string) {
  return { mediumId: MEDIUM, poolId, requestId }
}

function seal(site: Site, requestId: string) {
  const order = { ...place(site, requestId), sourceName: 'bench', tags: {}, rebase: true }
  return site.handlers['medium.seal']({ ...order, lockUntil: null }, CONTEXT)
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

const ms = (value: number): string => `${value.toFixed(1)} ms`

function threeOf(values: readonly number[]): string {
  return [0.5, 0.99, 1].map((part) => ms(quantile(values, part))).join(', ')
}

/** DEPTH writers in turn took this long. */
function rate(count: number, latencies: readonly number[]): number {
  const seconds = latencies.reduce((sum, value) => sum + value, 0) / 1000 / DEPTH
  return Math.round(count / seconds)
}
