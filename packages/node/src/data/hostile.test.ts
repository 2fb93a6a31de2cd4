/**
 * Agents that were taken over: they hold a certificate and a ticket, and break every other rule.
 * Frames are made by hand here, by what docs/protocols/data.md allows and forbids.
 */
import { connect, type TLSSocket } from 'node:tls'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { ChunkHasher } from '@openmaas/pool/chunk/chunk-hasher'
import { DirectoryBuilder, directoryRef } from '@openmaas/pool/tree/directory-builder'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { writeTreeRoot } from '@openmaas/pool/tree/root'
import type { EntryStat } from '@openmaas/pool/tree/entry'
import {
  encodeFrame,
  encodeJson,
  type Frame,
  FrameDecoder,
  FrameType,
} from '@openmaas/protocols/data/frames'
import type { Hello, Welcome } from '@openmaas/protocols/data/messages'
import { requires } from '@openmaas/testkit/requires'
import type { AgentIdentity } from '@openmaas/agent/remote/channel-messages'
import { DataSite } from './data-site.test-support.ts'
import { Pki } from './pki.test-support.ts'

const refused = (code: string): Error => expect.objectContaining({ code }) as Error

const STAT: EntryStat = {
  mode: 0o100644,
  uid: 0,
  gid: 0,
  nlink: 1,
  size: 7,
  inoLow: 1,
  inoHigh: 0,
  mtimeSec: 1,
  mtimeNs: 0,
  ctimeSec: 1,
  ctimeNs: 0,
}

/** One connection that sends whatever it is told to. */
class RawAgent {
  readonly #frames: Frame[] = []
  readonly #decoder = new FrameDecoder()
  readonly #socket: TLSSocket
  #wake = (): void => undefined
  #closed = false

  constructor(site: DataSite, identity: AgentIdentity | undefined) {
    this.#socket = connect({
      host: '127.0.0.1',
      port: site.port,
      ...(identity && { cert: identity.certificate, key: identity.key }),
      rejectUnauthorized: false,
    })
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
    this.#socket.on('data', (bytes: Buffer) => {
      this.#frames.push(...this.#decoder.receive(bytes))
      this.#wake()
    })
  }

  send(...frames: Buffer[]): void {
    this.#socket.write(Buffer.concat(frames))
  }

  hello(ticket: string, open: Hello['open']): void {
    this.send(encodeJson(FrameType.hello, { version: 1, ticket, open }))
  }

  /** @throws MaasError what an ERROR frame says; DATA_UNREACHABLE when the node hung up */
  async next(): Promise<Frame> {
    while (this.#frames.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const frame = this.#frames.shift()
    if (frame === undefined) throw new MaasError('DATA_UNREACHABLE', 'the node hung up')
    if (frame.type !== FrameType.error) return frame
    const { code, message } = JSON.parse(frame.payload.toString()) as {
      code: 'INTERNAL'
      message: string
    }
    throw new MaasError(code, message)
  }

  async welcome(): Promise<Welcome> {
    const { payload } = await this.next()
    return JSON.parse(payload.toString()) as Welcome
  }

  end(): void {
    this.#socket.destroy()
  }
}

requires(['openssl'], () => {
  let site: DataSite
  const agents: RawAgent[] = []

  beforeAll(async () => {
    site = await DataSite.make()
  })
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.end()
    const { pool } = await site.site.node.pool(site.site.poolId)
    for (const { id } of pool.snapshots()) await pool.deleteSnapshot(id)
    for (const name of ['victim', 'own']) {
      rmSync(site.site.files.join(name), { recursive: true, force: true })
    }
  })
  afterAll(() => site[Symbol.asyncDispose]())

  const connectAgent = (): RawAgent => {
    const agent = new RawAgent(site, site.identity)
    agents.push(agent)
    return agent
  }
  const ticket = (sourceId = 'src_1'): string =>
    site.pki.ticket({ poolId: site.site.poolId, sourceId })
  const capture = (parentSnapshotId: string | null = null, requestId = 'r9') =>
    ({ do: 'capture', kind: 'tree', requestId, parentSnapshotId }) as const

  /** A session of a source, begun, with the hasher that the node's keys make. */
  const begin = async (open: Hello['open'] = capture(), sourceId = 'src_1') => {
    const agent = connectAgent()
    agent.hello(ticket(sourceId), open)
    const welcome = await agent.welcome()
    const hasher = new ChunkHasher(Buffer.from(welcome.keys!.chunkId, 'hex'))
    return { agent, welcome, hasher }
  }
  const commitOf = (root: Buffer) =>
    encodeJson(FrameType.commit, {
      root: root.toString('hex'),
      sourceName: 'x',
      sourcePath: '/x',
      host: 'h',
      startedAt: new Date().toISOString(),
      endedAt: new Date().toISOString(),
      users: {},
      groups: {},
      tags: {},
      lockUntil: null,
      warnings: { count: 0, first: [] },
    })
  const flush = encodeFrame(FrameType.flush, Buffer.alloc(0))

  /** A tree whose one file has that content; chunks go where the sink says. */
  const makeTree = (
    put: (type: ChunkType, raw: Buffer) => Buffer,
    content: { kind: 'single'; id: Buffer },
  ): Buffer => {
    const builder = new DirectoryBuilder({ put })
    builder.addFile(Buffer.from('stolen'), STAT, content, { xattrs: [] })
    const built = builder.finish()
    const stat = { ...STAT, mode: 0o040755 }
    const directory = directoryRef(built, [])
    return writeTreeRoot({ put }, { stat, directory, xattrs: [], links: undefined })
  }

  const captureSource = async (name: string, content: string, sourceId: string) => {
    const source = site.site.files.join(name)
    mkdirSync(source, { recursive: true })
    writeFileSync(`${source}/file`, content)
    return site.capture(source, { sourceId, requestId: `of ${sourceId}` })
  }

  describe('who connects', () => {
    test('without a certificate, or with one of another authority, it gets nothing', async () => {
      mkdirSync(site.site.files.join('other'))
      const foreign = new Pki(site.site.files.join('other')).identity()
      for (const identity of [undefined, foreign]) {
        const agent = new RawAgent(site, identity)
        agents.push(agent)
        await expect(agent.next()).rejects.toThrowError(refused('DATA_UNREACHABLE'))
      }
      expect(site.server.sessionCount).toBe(0)
    })

    test.each([
      ['for another host', { hostId: 'hst_other' }, 'TICKET_INVALID'],
      ['for a restore', { purpose: 'restore' as const }, 'TICKET_INVALID'],
      ['that has expired', { expiresAt: Date.now() - 1000 }, 'TICKET_EXPIRED'],
      ['for a pool that is not there', { poolId: 'pol_none' }, 'POOL_NOT_FOUND'],
    ])('a ticket %s is refused', async (_what, fields, code) => {
      const agent = connectAgent()
      const text = site.pki.ticket({ poolId: site.site.poolId, ...fields })
      agent.hello(text, capture())
      await expect(agent.next()).rejects.toThrowError(refused(code))
    })

    test('a ticket with a changed byte is refused', async () => {
      const agent = connectAgent()
      const text = ticket()
      agent.hello(`${text.slice(0, 20)}${text[20] === 'A' ? 'B' : 'A'}${text.slice(21)}`, capture())
      await expect(agent.next()).rejects.toThrowError(refused('TICKET_INVALID'))
    })

    test('a session is joined only with a ticket of its host and source', async () => {
      const { welcome } = await begin()
      const other = connectAgent()
      other.hello(ticket('src_2'), { do: 'join', session: welcome.session })
      await expect(other.next()).rejects.toThrowError(refused('SESSION_CLOSED'))
    })
  })

  describe('what it names', () => {
    test('an id that it never sent is no part of a snapshot', async () => {
      const { agent, hasher } = await begin()
      const id = hasher.hash(Buffer.from('never sent'))
      const frames: Buffer[] = []
      const root = makeTree(
        (type, raw) => {
          frames.push(encodeFrame(FrameType.chunk, raw, type))
          return hasher.hash(raw)
        },
        { kind: 'single', id },
      )
      agent.send(...frames, flush)
      await agent.next()
      agent.send(commitOf(root))
      await expect(agent.next()).rejects.toThrowError(refused('DATA_REFUSED'))
    })

    // Goal: knowing the content of another source, and so its ids, gains nothing.
    test('a chunk of another source is no part of a snapshot, though the pool has it', async () => {
      await captureSource('victim', 'a secret', 'src_2')
      const { agent, hasher } = await begin()
      const id = hasher.hash(Buffer.from('a secret'))
      const frames: Buffer[] = []
      const put = (type: ChunkType, raw: Buffer): Buffer => {
        frames.push(encodeFrame(FrameType.chunk, raw, type))
        return hasher.hash(raw)
      }
      const root = makeTree(put, { kind: 'single', id })
      agent.send(...frames, flush)
      await agent.next()
      agent.send(commitOf(root))
      await expect(agent.next()).rejects.toThrowError(refused('DATA_REFUSED'))
      const { pool } = await site.site.node.pool(site.site.poolId)
      expect(pool.snapshots().length).toBe(1)
    })

    test('the root of another source is not committed as its own', async () => {
      const { snapshotId } = await captureSource('victim', 'a secret', 'src_2')
      const { snapshots } = await site.site.node.pool(site.site.poolId)
      const root = Buffer.from(snapshots.find(snapshotId)!.row.root, 'hex')
      const { agent } = await begin()
      agent.send(flush)
      await agent.next()
      agent.send(commitOf(root))
      await expect(agent.next()).rejects.toThrowError(refused('DATA_REFUSED'))
    })

    test('chunks of another source are not read, whether they are there or not', async () => {
      const { snapshotId } = await captureSource('victim', 'a secret', 'src_2')
      const { snapshots } = await site.site.node.pool(site.site.poolId)
      const root = Buffer.from(snapshots.find(snapshotId)!.row.root, 'hex')
      for (const id of [root, Buffer.alloc(32, 7)]) {
        const { agent } = await begin(capture(snapshotId))
        agent.send(encodeFrame(FrameType.read, id))
        await expect(agent.next()).rejects.toThrowError(refused('DATA_REFUSED'))
      }
    })

    test('file content of its own parent is not read by a capture', async () => {
      const { snapshotId } = await captureSource('own', 'my own content', 'src_1')
      const { agent, welcome, hasher } = await begin(capture(snapshotId))
      const root = Buffer.from(welcome.parent!.root, 'hex')
      agent.send(encodeFrame(FrameType.read, root))
      const source = { read: (): Buffer => rootBytes }
      const rootBytes = (await agent.next()).payload
      const { rootEntry } = new TreeReader(source, root)
      agent.send(encodeFrame(FrameType.read, rootEntry.directory!.node))
      expect((await agent.next()).type).toBe(FrameType.data)
      agent.send(encodeFrame(FrameType.read, hasher.hash(Buffer.from('my own content'))))
      await expect(agent.next()).rejects.toThrowError(refused('DATA_REFUSED'))
    })

    // Goal: bytes that were a file's are not thereby vouched for as metadata. Method: a file whose
    // content is a directory node that names a foreign chunk, then a root that names the file.
    test('a file that looks like a directory does not become one', async () => {
      await captureSource('victim', 'a secret', 'src_2')
      const hasher = new ChunkHasher(
        (await site.site.node.pool(site.site.poolId)).pool.core.keys.chunkIdKey,
      )
      const id = hasher.hash(Buffer.from('a secret'))
      const forged: Buffer[] = []
      const keep = (_type: ChunkType, raw: Buffer): Buffer => {
        forged.push(Buffer.from(raw))
        return hasher.hash(raw)
      }
      makeTree(keep, { kind: 'single', id })
      const [node, root] = forged
      // Backed up as file content, which is allowed.
      const source = site.site.files.join('own')
      mkdirSync(source)
      writeFileSync(`${source}/node`, node!)
      const { snapshotId } = await site.capture(source, { requestId: 'r1' })
      const { agent, welcome } = await begin(capture(snapshotId))
      const parentRoot = Buffer.from(welcome.parent!.root, 'hex')
      agent.send(encodeFrame(FrameType.read, parentRoot))
      const rootBytes = (await agent.next()).payload
      const tree = new TreeReader({ read: () => rootBytes }, parentRoot)
      agent.send(encodeFrame(FrameType.read, tree.rootEntry.directory!.node))
      await agent.next()
      agent.send(encodeFrame(FrameType.chunk, root!, ChunkType.treeNode), flush)
      await agent.next()
      agent.send(commitOf(hasher.hash(root!)))
      await expect(agent.next()).rejects.toThrowError(refused('DATA_REFUSED'))
    })

    // Goal: no snapshot is left behind that would stop the collector.
    test('a tree whose weights lie is refused', async () => {
      const { agent, hasher } = await begin()
      const frames: Buffer[] = []
      const put = (type: ChunkType, raw: Buffer): Buffer => {
        frames.push(encodeFrame(FrameType.chunk, raw, type))
        return hasher.hash(raw)
      }
      const content = put(ChunkType.data, Buffer.from('content'))
      const builder = new DirectoryBuilder({ put })
      builder.addFile(Buffer.from('f'), STAT, { kind: 'single', id: content }, { xattrs: [] })
      const built = builder.finish()
      const honest = directoryRef(built, [])
      const weights = { ...honest.weights, chunks: honest.weights.chunks + 1 }
      const directory = { ...honest, weights }
      const stat = { ...STAT, mode: 0o040755 }
      const root = writeTreeRoot({ put }, { stat, directory, xattrs: [], links: undefined })
      agent.send(...frames, flush)
      await agent.next()
      agent.send(commitOf(root))
      await expect(agent.next()).rejects.toThrowError(refused('TREE_INVALID'))
      const gc = await site.site.order('pool.gc', { poolId: site.site.poolId, approve: true })
      expect(gc.condemned).toBeGreaterThanOrEqual(0)
    })

    test('tags in our own space are not the agent’s to give', async () => {
      const { agent, hasher } = await begin()
      const frames: Buffer[] = []
      const put = (type: ChunkType, raw: Buffer): Buffer => {
        frames.push(encodeFrame(FrameType.chunk, raw, type))
        return hasher.hash(raw)
      }
      const content = put(ChunkType.data, Buffer.from('content'))
      const root = makeTree(put, { kind: 'single', id: content })
      agent.send(...frames, flush)
      await agent.next()
      const commit = JSON.parse(commitOf(root).subarray(8).toString()) as object
      const tags = { 'openmaas.source': 'src_2', 'openmaas.catalog': 'x', mine: 'y' }
      agent.send(encodeJson(FrameType.commit, { ...commit, tags }))
      expect((await agent.next()).type).toBe(FrameType.committed)
      const { pool } = await site.site.node.pool(site.site.poolId)
      const stored = pool.manifest(pool.snapshots()[0]!)
      expect(stored.tags).toEqual({
        'openmaas.source': 'src_1',
        'openmaas.request': 'r9',
        mine: 'y',
      })
    })
  })

  describe('what it sends', () => {
    test('a commit before the flush, and anything out of turn, ends the session', async () => {
      const chunk = encodeFrame(FrameType.chunk, Buffer.from('x'), ChunkType.data)
      const wrong: Buffer[] = [
        Buffer.concat([chunk, commitOf(Buffer.alloc(32))]),
        encodeFrame(FrameType.chunk, Buffer.alloc(0), ChunkType.data),
        encodeFrame(FrameType.chunk, Buffer.from('x'), ChunkType.manifest),
        encodeFrame(FrameType.chunk, Buffer.from('x'), 77),
        encodeFrame(FrameType.chunk, Buffer.alloc((1 << 20) + 1), ChunkType.data),
        encodeFrame(FrameType.read, Buffer.alloc(31)),
        encodeFrame(FrameType.read, Buffer.alloc(33 * 32)),
        encodeFrame(FrameType.read, Buffer.alloc(0)),
        encodeFrame(FrameType.flush, Buffer.from('x')),
        encodeJson(FrameType.welcome, {}),
        encodeJson(FrameType.hello, {}),
        encodeJson(FrameType.commit, { root: 'x' }),
        Buffer.from('ffffffff03010000', 'hex'),
        Buffer.from('000000000c000000', 'hex'),
      ]
      for (const [i, frames] of wrong.entries()) {
        const { agent } = await begin(capture(null, `r${i}`))
        agent.send(frames)
        await expect(agent.next(), `frame ${i}`).rejects.toThrowError(
          refused('DATA_PROTOCOL_VIOLATION'),
        )
      }
      expect((await site.site.node.pool(site.site.poolId)).pool.snapshots()).toEqual([])
    })

    test('a frame that is cut off leaves nothing', async () => {
      const { agent } = await begin()
      const frame = encodeFrame(FrameType.chunk, Buffer.alloc(100_000, 1), ChunkType.data)
      agent.send(frame.subarray(0, 50_000))
      agent.end()
      await expect.poll(() => site.server.sessionCount, { timeout: 30_000 }).toBe(0)
      expect((await site.site.node.pool(site.site.poolId)).pool.snapshots()).toEqual([])
    })

    test('whatever it says first, the node goes on serving others', async () => {
      const first = [
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.alloc(1000, 0xff),
        encodeJson(FrameType.hello, { version: 1 }),
        encodeJson(FrameType.hello, { version: 2, ticket: ticket(), open: capture() }),
        flush,
      ]
      for (const bytes of first) {
        const agent = connectAgent()
        agent.send(bytes)
        await expect(agent.next()).rejects.toThrowError(refused('DATA_PROTOCOL_VIOLATION'))
      }
      const { welcome } = await begin()
      expect(welcome.parent).toBe(null)
    })
  })
})
