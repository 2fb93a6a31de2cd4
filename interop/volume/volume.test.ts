/**
 * A volume of a node as a disk of this kernel, with a file system that is written to all the time:
 * frozen every second, sealed behind it, stood on its points, killed in between, grown, trimmed.
 * Every point is plugged afterwards, and holds what had been acknowledged when it was frozen.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { detachRemote, makeMediumPort } from '@openmaas/agent/attach/remote-attach'
import type { MediumId } from '@openmaas/kernel/ids'
import { GiB, MiB } from '@openmaas/kernel/units'
import { readStatus } from '@openmaas/medium/engine/status'
import { mediumDirectory } from '@openmaas/medium/media/record'
import { HOST_ID, Pki } from '@openmaas/node/data/pki.test-support'
import { NodeProcess } from '@openmaas/node/node-process.test-support'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { CAP_SYS_RESOURCE, hasCapability } from './capability.ts'
import { lastRecord } from './slots.ts'

const MEDIUM = 'vol_main'
/** Seconds of writing and freezing; more on request. */
const SECONDS = Number(process.env['OPENMAAS_VOLUME_SECONDS'] ?? 6)
/** Points that are plugged afterwards; the last one always. */
const CHECKED = Number(process.env['OPENMAAS_VOLUME_CHECKED'] ?? 3)
const WAIT_MS = 120_000

const needs = {
  root: true,
  paths: ['/dev/fuse', '/dev/loop-control'],
  programs: ['openssl', 'mkfs.ext4', 'mkfs.xfs', 'resize2fs', 'xfs_growfs', 'fstrim', 'blkid'],
}

/** Appends to one file, and knows what was acknowledged. */
class Writer {
  readonly #child: ChildProcess
  acknowledged = -1

  constructor(file: string) {
    const program = fileURLToPath(new URL('./slot-writer.ts', import.meta.url))
    this.#child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: this.#child.stdout! })
    lines.on('line', (line) => (this.acknowledged = Number(line)))
  }

  async reach(number: number): Promise<void> {
    for (let waitedMs = 0; this.acknowledged < number; waitedMs += 10) {
      if (waitedMs > WAIT_MS) throw new Error(`the writer stands at ${this.acknowledged}`)
      await delay(10)
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

requires(needs, () => {
  let site: TemporaryDirectory
  let pki: Pki
  let node: NodeProcess
  let poolId: string
  let writer: Writer | undefined
  const plugged = new Set<string>()

  const startNode = (dataPort = 0, nbdPort = 0): Promise<NodeProcess> =>
    NodeProcess.start({
      directory: site.join('node'),
      tls: pki.node,
      ticketKeys: pki.ticketKeys,
      host: '127.0.0.1',
      dataPort,
      nbdPort,
    })
  const agent = () => {
    const identity = pki.identity()
    return makeMediumPort({ data: site.join('agent'), identity: () => identity })
  }
  const context = { signal: new AbortController().signal, progress: () => undefined }

  beforeEach(async () => {
    site = new TemporaryDirectory({ inMemory: true })
    mkdirSync(site.join('pki'))
    pki = new Pki(site.join('pki'))
    node = await startNode()
    const made = await node.order('pool.create', {
      bricks: [site.join('pool')],
      redundancy: 'single',
    })
    poolId = made.poolId
  }, WAIT_MS)
  afterEach(async () => {
    await writer?.stop()
    writer = undefined
    await detachRemote({ data: site.join('agent') }, { mediumId: MEDIUM, force: true })
    for (const mediumId of plugged) {
      await node.order('medium.withdraw', { mediumId, poolId, force: true })
    }
    plugged.clear()
    await node.kill()
    site.dispose()
  }, WAIT_MS)

  const createVolume = async (sizeBytes: number): Promise<string> => {
    const order = { poolId, requestId: 'create', sourceName: 'db', sizeBytes }
    return (await node.order('volume.create', order)).snapshotId
  }
  const serve = async (mediumId: string, snapshotId: string, mountPath?: string) => {
    plugged.add(mediumId)
    return node.order('medium.serve', {
      mediumId,
      poolId,
      snapshotId,
      sourceName: 'db',
      readOnly: false,
      quotaBytes: null,
      bytesPerSecond: null,
      local: mountPath === undefined ? null : { mountPath },
    })
  }
  const attach = (format: 'ext4' | 'xfs') =>
    agent().attach(
      {
        mediumId: MEDIUM,
        readOnly: false,
        mountPath: site.join('mounted'),
        format,
        grow: false,
        nbd: {
          address: `127.0.0.1:${node.ports.nbdPort}`,
          exportName: MEDIUM,
          fingerprint: pki.fingerprint,
          ticket: pki.ticket({
            poolId,
            purpose: 'nbd',
            exportName: MEDIUM,
            hostId: HOST_ID,
            expiresAt: Number.MAX_SAFE_INTEGER, // As control gives it: a node may restart any day.
          }),
        },
      },
      context,
    )
  const freeze = (requestId: string) =>
    node.order('medium.freeze', { mediumId: MEDIUM, poolId, requestId })
  const seal = (requestId: string) =>
    node.order('medium.seal', {
      mediumId: MEDIUM,
      poolId,
      requestId,
      sourceName: 'db',
      tags: {},
      lockUntil: null,
      rebase: true,
    })
  /** Whoever gave an order to a node that was killed gives it again. */
  const again = async <T>(order: () => Promise<T>): Promise<T> => {
    for (let tries = 0; ; tries += 1) {
      const asked = node
      try {
        return await order()
      } catch (error) {
        const { code } = error as { code?: string }
        const passes = code === undefined || code === 'MEDIUM_ENGINE_UNREACHABLE'
        if (!passes || tries === 5) throw error
        for (let waitedMs = 0; asked === node && waitedMs < 10_000; waitedMs += 50) await delay(50)
      }
    }
  }
  /** The kernel lets only a process with this capability resize an ext4 that is mounted. */
  const growExt4 = async (mountPath: string, sizeBytes: number): Promise<void> => {
    const resized = agent().resize({ mediumId: MEDIUM }, context)
    if (!hasCapability(CAP_SYS_RESOURCE)) {
      await expect(resized).rejects.toMatchObject({ code: 'MEDIUM_GROW_OFFLINE' })
      return
    }
    expect(await resized).toEqual({ sizeBytes })
    const { blocks, bsize } = statfsSync(mountPath)
    expect(blocks * bsize).toBeGreaterThan(0.9 * sizeBytes)
  }
  const contentOf = async (snapshotId: string): Promise<Buffer> => {
    const mountPath = site.join(`check-${snapshotId}`)
    await serve(`chk_${snapshotId}`, snapshotId, mountPath)
    const content = readFileSync(path.join(mountPath, 'slots'))
    const order = { mediumId: `chk_${snapshotId}`, poolId, force: false }
    await node.order('medium.withdraw', order)
    return content
  }

  test(
    'every point holds what was acknowledged, whoever is killed, and while it grows',
    async () => {
      const served = await serve(MEDIUM, await createVolume(512 * MiB))
      const { mountPath } = await attach('ext4')
      writer = new Writer(path.join(mountPath!, 'slots'))
      await writer.reach(10)
      const points: { requestId: string; from: number; to: number; sealed: Promise<string> }[] = []
      const engine = mediumDirectory(site.join('pool'), served.poolMediumId as MediumId)
      let sealing: Promise<unknown> = Promise.resolve()
      for (let second = 0; second < SECONDS; second += 1) {
        const requestId = `r${second}`
        const from = writer.acknowledged
        await again(() => freeze(requestId))
        const sealed = sealing.then(async () => (await again(() => seal(requestId))).snapshotId)
        sealing = sealed.catch(() => undefined)
        const point = { requestId, from, to: Infinity, sealed }
        points.push(point)
        if (second % 3 === 0) process.kill(readStatus(engine)!.pid, 'SIGKILL')
        if (second % 4 === 2) {
          const { dataPort, nbdPort } = node.ports
          await node.kill()
          node = await startNode(dataPort, nbdPort)
        }
        if (second === 3) {
          const order = { mediumId: MEDIUM, poolId, sizeBytes: GiB }
          expect(await again(() => node.order('medium.grow', order))).toEqual({ sizeBytes: GiB })
          await growExt4(mountPath!, GiB)
        }
        const before = writer.acknowledged
        await delay(500)
        await writer.reach(before + 1)
        point.to = writer.acknowledged + 1 // All that it has said is heard by now.
      }
      await writer.stop()
      const checked = points.filter(
        (_, index) => (points.length - 1 - index) % Math.ceil(points.length / CHECKED) === 0,
      )
      for (const { sealed } of points) await sealed
      for (const { requestId, from, to, sealed } of checked) {
        const last = lastRecord(await contentOf(await sealed))
        expect(last, requestId).toBeGreaterThanOrEqual(from)
        expect(last, requestId).toBeLessThanOrEqual(to)
      }
      const { media } = await node.order('medium.served', { poolId })
      expect(media).toMatchObject([{ mediumId: MEDIUM, state: 'plugged' }])
    },
    10 * WAIT_MS,
  )

  test(
    'what is deleted is given back, and takes no space in the next point; xfs grows, too',
    async () => {
      await serve(MEDIUM, await createVolume(400 * MiB))
      const { mountPath } = await attach('xfs')
      const big = path.join(mountPath!, 'big')
      writeFileSync(big, Buffer.alloc(64 * MiB, 'not zero'))
      writeFileSync(path.join(mountPath!, 'kept'), 'kept')
      execFileSync('sync', ['-f', mountPath!])
      await freeze('full')
      const full = await seal('full')
      expect(full.readBytes).toBeGreaterThan(64 * MiB)
      execFileSync('rm', [big])
      execFileSync('fstrim', [mountPath!])
      execFileSync('sync', ['-f', mountPath!])
      const order = { mediumId: MEDIUM, poolId, sizeBytes: 600 * MiB }
      await node.order('medium.grow', order)
      await agent().resize({ mediumId: MEDIUM }, context)
      const { blocks, bsize } = statfsSync(mountPath!)
      expect(blocks * bsize).toBeGreaterThan(500 * MiB)
      await freeze('trimmed')
      const trimmed = await seal('trimmed')
      // Nothing of the 64 MiB is read again, and none of it belongs to the new point.
      expect(trimmed.readBytes).toBeLessThan(16 * MiB)
      expect(trimmed.sizeBytes).toBe(600 * MiB)
      const shown = site.join('shown')
      await serve('chk_trimmed', trimmed.snapshotId, shown)
      expect(readFileSync(path.join(shown, 'kept'), 'utf8')).toBe('kept')
      // A second time there is a file system: nothing is made.
      expect(await agent().detach({ mediumId: MEDIUM, force: false }, context)).toEqual({
        detached: true,
      })
      await attach('xfs')
      expect(readFileSync(path.join(mountPath!, 'kept'), 'utf8')).toBe('kept')
    },
    10 * WAIT_MS,
  )
})
