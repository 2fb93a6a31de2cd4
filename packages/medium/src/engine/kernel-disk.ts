/**
 * The engine's end of a kernel NBD disk: one end of a socket pair is the kernel's, the other is
 * served here by the engine's main thread.
 *
 *   connect ──▶ served ──kernel says goodbye──▶ ended
 *      ▲           └──connection lost──▶ reconnect
 *      └─ the first engine of the attachment; later ones reconnect the disk they find
 *
 * When the engine is killed its end of the pair closes. The kernel then holds new requests back,
 * for RECONNECT_TIMEOUT_S, and sends the unanswered ones again when the next engine has given it
 * another socket. No request of the old socket can be carried out late: its engine is gone, or
 * has closed it.
 */
import net from 'node:net'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { close } from '@openmaas/kernel/posix/files'
import { connectNbdDisk, findNbdDisk, reconnectNbdDisk } from '@openmaas/kernel/posix/nbd-disk'
import { socketPair } from '@openmaas/kernel/posix/socket'
import { BufferPool } from '@openmaas/protocols/nbd/buffer-pool'
import { transmissionFlags } from '@openmaas/protocols/nbd/export'
import { ServerConnection } from '@openmaas/protocols/nbd/server-connection'

/** An engine that has not come back by then will not: the disk's requests fail. */
const RECONNECT_TIMEOUT_S = 3600
/** The kernel takes a new socket only once it has noticed that the old one is dead. */
const RECONNECT_PAUSE_MS = 20
/** What file systems and partition tables of volumes may count in. */
const LOGICAL_BLOCK_SIZE = 512

export interface KernelDiskOptions {
  /** Stays the same for the life of the attachment, and is never used again. */
  readonly identity: string
  readonly device: BlockDevice
  /** The disk has been seen: when it is gone it was ended, and is not made again. */
  readonly seen: boolean
  /** The kernel has ended the disk. */
  readonly ended: () => void
  /** A request failed by a bug. */
  readonly failed: (error: unknown) => void
  /** A lost connection could not be replaced. */
  readonly lost: (error: unknown) => void
}

export class KernelDisk {
  #options: KernelDiskOptions
  readonly #pool = new BufferPool()
  #connection: ServerConnection | undefined
  #closed: Promise<void> = Promise.resolve()
  #closing = false

  /** The device of an earlier engine of this attachment is taken over. */
  constructor(options: KernelDiskOptions) {
    this.#options = options
    this.#connect()
  }

  /** Answers what is in flight and leaves the kernel's disk to the next engine. */
  async close(): Promise<void> {
    this.#closing = true
    this.#connection?.close()
    await this.#closed
  }

  #connect(): void {
    const { identity, device, seen, ended } = this.#options
    const disk = findNbdDisk(identity)
    if (disk === undefined && seen) {
      ended()
      return
    }
    const [mine, kernels] = socketPair()
    try {
      if (disk !== undefined) reconnectNbdDisk(disk, identity, kernels)
      else {
        const { size } = device
        const flags = transmissionFlags({ open: () => device, multiConn: false }, device, false)
        const reconnectTimeoutS = RECONNECT_TIMEOUT_S
        const blockSize = LOGICAL_BLOCK_SIZE
        connectNbdDisk({ socket: kernels, size, blockSize, flags, identity, reconnectTimeoutS })
      }
    } catch (error) {
      close(mine)
      throw error
    } finally {
      close(kernels) // The kernel has its own hold on the socket.
    }
    this.#serve(mine)
  }

  #serve(fd: number): void {
    const { device, failed } = this.#options
    const socket = new net.Socket({ fd, readable: true, writable: true, ...UNREAD })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed = promise
    this.#connection = new ServerConnection(socket, {
      exports: new Map(),
      pool: this.#pool,
      tlsMode: 'off',
      tlsOptions: {},
      agreed: { exportName: '', device, structured: false, blockStatus: false, fastZero: false },
      report: failed,
      closed: (connection) => {
        resolve()
        if (!this.#closing) this.#lost(connection)
      },
    })
  }

  #lost(connection: ServerConnection): void {
    const { ended, lost } = this.#options
    if (connection.goodbye) {
      ended()
      return
    }
    this.#options = { ...this.#options, seen: true }
    setTimeout(() => {
      if (this.#closing) return
      try {
        this.#connect()
      } catch (error) {
        lost(error)
      }
    }, RECONNECT_PAUSE_MS)
  }
}

/** The connection decides how the socket is read, as with those a server accepts. */
const UNREAD: object = { pauseOnCreate: true }
