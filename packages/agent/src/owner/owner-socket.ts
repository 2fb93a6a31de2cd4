/**
 * The sockets of pool/owner-protocol.ts, and nothing else: the pool itself opens none. Mode 0600;
 * a stale socket file of an owner that died is replaced, since only the holder of the lock gets
 * here.
 */
import { chmodSync, closeSync, openSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { KeyRing } from '@openmaas/pool/keys/key-ring'
import {
  LINE_SIZE_MAX,
  answerGreeting,
  makeGreeting,
  readReply,
  serveRequest,
} from '@openmaas/pool/pool/owner-protocol'
import type { OwnerRequest, PinOwner } from '@openmaas/pool/pool/owner-protocol'
import { loadSuperblock } from '@openmaas/pool/backend/superblock'
import { Pool } from '@openmaas/pool/pool/pool'
import type { PoolOpenOptions } from '@openmaas/pool/pool/pool'

/** Askers at once; each holds its connection for milliseconds. */
const CONNECTIONS_MAX = 32
/** A peer that is silent for so long is gone. */
const IDLE_TIMEOUT_MS = 10_000
/** sun_path has 108 bytes with its NUL. Longer paths are reached through an open directory. */
const SOCKET_PATH_MAX = 107

interface Listening {
  readonly server: Server
  readonly path: string
}

/** One socket per pool, however many parts of its owner want it. */
const sockets = new WeakMap<Pool, { users: number; listening: Promise<Listening> }>()

/** The owner's end; when the last user closes it, the socket file is removed. */
export class PoolOwnerSocket implements AsyncDisposable {
  readonly #pool: Pool
  #closed = false

  private constructor(pool: Pool) {
    this.#pool = pool
  }

  /** @throws Error of node:net when the socket cannot be made */
  static async listen(pool: Pool): Promise<PoolOwnerSocket> {
    const known = sockets.get(pool) ?? { users: 0, listening: PoolOwnerSocket.#open(pool) }
    sockets.set(pool, known)
    known.users += 1
    try {
      await known.listening
      return new PoolOwnerSocket(pool)
    } catch (error) {
      sockets.delete(pool)
      throw error
    }
  }

  static async #open(pool: Pool): Promise<Listening> {
    const path = `${pool.core.brickPaths[0]!}/owner.sock`
    removeSocket(path)
    const { socketKey } = pool.core.keys
    const server = createServer((socket) => serve(socket, pool, socketKey))
    server.maxConnections = CONNECTIONS_MAX
    await withShortPath(path, (short) => {
      return new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(short, resolve)
      })
    })
    chmodSync(path, 0o600)
    // The owner's other work decides how long the process lives.
    server.unref()
    return { server, path }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const known = sockets.get(this.#pool)
    if (this.#closed || known === undefined) return
    this.#closed = true
    known.users -= 1
    if (known.users > 0) return
    sockets.delete(this.#pool)
    const { server, path } = await known.listening
    removeSocket(path)
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
}

/**
 * Asks the owner of the pool in another process.
 * @throws MaasError POOL_BUSY when nobody answers; what the owner answers
 */
export async function requestOwner(
  brick: string,
  socketKey: Buffer,
  request: OwnerRequest,
): Promise<void> {
  const socket = await withShortPath(`${brick}/owner.sock`, connect)
  try {
    const lines = readLines(socket)
    const greeting = await lines.next()
    if (greeting.done === true) throw noAnswer()
    socket.write(answerGreeting(socketKey, greeting.value, request))
    const reply = await lines.next()
    if (reply.done === true) throw noAnswer()
    readReply(reply.value)
  } finally {
    socket.destroy()
  }
}

/** An owner that ends, or a short command that owns the pool, is waited for: 5 s in all. */
const BUSY_TRIES_MAX = 20
const BUSY_PAUSE_MS = 250

/**
 * Does something with pins, as owner when the pool is free and by asking its owner otherwise.
 * @throws MaasError POOL_BUSY when the owner stays and does not answer; what Pool.open throws
 */
export async function withPinOwner(
  options: Omit<PoolOpenOptions, 'unlock'> & { readonly masterKey: Uint8Array },
  work: (owner: PinOwner) => Promise<void>,
): Promise<void> {
  const { masterKey, ...rest } = options
  const { poolId } = loadSuperblock(options.fs, options.path)
  const { socketKey } = new KeyRing(Buffer.from(masterKey), poolId)
  const remote: PinOwner = {
    pin: (pin) => requestOwner(options.path, socketKey, { op: 'pin', pin }),
    unpin: (id) => requestOwner(options.path, socketKey, { op: 'unpin', id }),
  }
  for (let tries = 1; ; tries += 1) {
    try {
      await using owner = await Pool.open({ ...rest, unlock: { masterKey } })
      return await work(owner)
    } catch (error) {
      if (!isMaasError(error, 'POOL_BUSY')) throw error
    }
    try {
      return await work(remote)
    } catch (error) {
      if (!isMaasError(error, 'POOL_BUSY') || tries === BUSY_TRIES_MAX) throw error
    }
    await delay(BUSY_PAUSE_MS)
  }
}

function serve(socket: Socket, owner: PinOwner, socketKey: Buffer): void {
  const { line, nonce } = makeGreeting(systemRandom)
  socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
  // An asker that goes away ends its own connection and nothing more.
  socket.on('error', () => socket.destroy())
  socket.write(line)
  const answer = async (): Promise<void> => {
    const first = await readLines(socket).next()
    if (first.done !== true)
      socket.end(await serveRequest(owner, { socketKey, nonce }, first.value))
  }
  answer().catch(() => socket.destroy())
}

/** @throws MaasError USAGE when a line is too long */
async function* readLines(socket: Socket): AsyncGenerator<string> {
  let pending = ''
  try {
    for await (const piece of socket) {
      pending += String(piece)
      if (pending.length > LINE_SIZE_MAX) throw new MaasError('USAGE', 'a line is too long')
      for (let end = pending.indexOf('\n'); end >= 0; end = pending.indexOf('\n')) {
        const line = pending.slice(0, end)
        pending = pending.slice(end + 1)
        yield line
      }
    }
  } catch (error) {
    if (isMaasError(error)) throw error
    throw noAnswer(error)
  }
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy())
    socket.once('connect', () => resolve(socket))
    socket.once('error', (cause) => reject(noAnswer(cause)))
  })
}

function noAnswer(cause?: unknown): MaasError {
  return new MaasError('POOL_BUSY', 'the owner of the pool does not answer', {}, { cause })
}

async function withShortPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return use(path)
  const at = path.lastIndexOf('/')
  const directory = openSync(path.slice(0, at), 'r')
  try {
    return await use(`/proc/self/fd/${directory}/${path.slice(at + 1)}`)
  } finally {
    closeSync(directory)
  }
}

/** @throws MaasError FS_* */
function removeSocket(path: string): void {
  const fs = new NodeFs()
  if (fs.stat(path) !== undefined) fs.unlink(path)
}
