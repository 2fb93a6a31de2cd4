/**
 * The kernel's own NBD client (drivers/block/nbd.c): a socket becomes /dev/nbdN. It is told what
 * to do over generic netlink (linux/nbd-netlink.h), because only there a lost connection can be
 * waited for and replaced; the older ioctls, and the nbd-client program by either way, fail
 * every request that comes in between. Needs root and Linux 5.14, which shows in
 * /sys/block/nbdN/backend whose disk it is.
 *
 * The socket is past negotiation: the first bytes on it are a request.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { assert } from '../assert.ts'
import { MaasError } from '../errors.ts'
import { E } from './constants.ts'
import { checked } from './library.ts'
import { attribute, findAttribute, numberAttribute, textAttribute } from './netlink.ts'
import { GenericNetlink } from './socket.ts'

const FAMILY = 'nbd'
const FAMILY_VERSION = 1

const NBD_CMD_CONNECT = 1
const NBD_CMD_DISCONNECT = 2
const NBD_CMD_RECONFIGURE = 3

const NBD_ATTR_INDEX = 1
const NBD_ATTR_SIZE_BYTES = 2
const NBD_ATTR_BLOCK_SIZE_BYTES = 3
const NBD_ATTR_SERVER_FLAGS = 5
const NBD_ATTR_SOCKETS = 7
const NBD_ATTR_DEAD_CONN_TIMEOUT = 8
const NBD_ATTR_BACKEND_IDENTIFIER = 10
const NBD_SOCK_ITEM = 1
const NBD_SOCK_FD = 1

/** What else the kernel shows of a device is a page at the most; ours are 60 bytes. */
const IDENTITY_LENGTH_MAX = 255
const BLOCK_DEVICES = '/sys/block'
/** The block layer's own, in milliseconds. */
const REQUEST_TIMER_DEFAULT_MS = 30_000

export interface NbdDiskOptions {
  /** A connected stream socket; the kernel keeps it, the caller's descriptor may be closed. */
  readonly socket: number
  readonly size: number
  /** Logical block size, 512–4096. */
  readonly blockSize: number
  /** NBD_FLAG_* of the server. */
  readonly flags: number
  /** Whose disk it is; it must be given again to replace the socket. */
  readonly identity: string
  /** Requests wait that long for another socket when this one is lost, then they fail. */
  readonly reconnectTimeoutS: number
}

/**
 * Makes the first free /dev/nbdN of the socket.
 *
 * @throws MaasError NBD_KERNEL_MISSING, FS_DENIED without root, FS_*
 */
export function connectNbdDisk(options: NbdDiskOptions): string {
  assert(options.identity.length <= IDENTITY_LENGTH_MAX, 'the identity is short')
  const attributes = Buffer.concat([
    numberAttribute(NBD_ATTR_SIZE_BYTES, 8, options.size),
    numberAttribute(NBD_ATTR_BLOCK_SIZE_BYTES, 8, options.blockSize),
    numberAttribute(NBD_ATTR_SERVER_FLAGS, 8, options.flags),
    numberAttribute(NBD_ATTR_DEAD_CONN_TIMEOUT, 8, options.reconnectTimeoutS),
    textAttribute(NBD_ATTR_BACKEND_IDENTIFIER, options.identity),
    socketAttribute(options.socket),
  ])
  using netlink = requireNetlink()
  const { result, messages } = netlink.ask(NBD_CMD_CONNECT, attributes)
  checked(result, 'nbd connect')
  const index = messages.map((each) => findAttribute(each.attributes, NBD_ATTR_INDEX))[0]
  assert(index !== undefined, 'the kernel names the device it has connected')
  const device = `/dev/nbd${index.readUInt32LE(0)}`
  if (readIdentity(path.basename(device)) === options.identity) return device
  netlink.ask(NBD_CMD_DISCONNECT, indexAttribute(device))
  throw new MaasError('NBD_KERNEL_MISSING', 'this kernel does not tell whose an NBD disk is', {
    device,
  })
}

/** Gives the disk a new socket for the one it lost. @throws MaasError FS_* */
export function reconnectNbdDisk(device: string, identity: string, socket: number): void {
  const attributes = Buffer.concat([
    indexAttribute(device),
    textAttribute(NBD_ATTR_BACKEND_IDENTIFIER, identity),
    socketAttribute(socket),
  ])
  using netlink = requireNetlink()
  checked(netlink.ask(NBD_CMD_RECONFIGURE, attributes).result, 'nbd reconfigure', device)
}

/** Ends the disk; requests that nobody answered fail. Does nothing when it has ended. */
export function disconnectNbdDisk(device: string): void {
  using netlink = requireNetlink()
  const { result } = netlink.ask(NBD_CMD_DISCONNECT, indexAttribute(device))
  if (result !== -E.EINVAL) checked(result, 'nbd disconnect', device) // EINVAL: no such device.
}

/** @returns the device with this identity, whatever state it is in. */
export function findNbdDisk(identity: string): string | undefined {
  const name = nbdNames().find((each) => readIdentity(each) === identity)
  return name === undefined ? undefined : `/dev/${name}`
}

/**
 * How long the kernel waits before it looks at a request again that has no answer: on a disk
 * whose socket was replaced, it is then sent again. Absent: as the kernel comes.
 */
export function setNbdRequestTimer(device: string, ms = REQUEST_TIMER_DEFAULT_MS): void {
  writeFileSync(path.join(BLOCK_DEVICES, path.basename(device), 'queue/io_timeout'), String(ms))
}

/** True where the kernel's nbd can be used: the module is there, and root asks. */
export function nbdDiskAvailable(): boolean {
  const netlink = GenericNetlink.open(FAMILY, FAMILY_VERSION)
  netlink?.[Symbol.dispose]()
  return netlink !== undefined
}

function requireNetlink(): GenericNetlink {
  const netlink = GenericNetlink.open(FAMILY, FAMILY_VERSION)
  if (netlink !== undefined) return netlink
  throw new MaasError('NBD_KERNEL_MISSING', 'this kernel has no nbd, or it is not loaded')
}

function indexAttribute(device: string): Buffer {
  const index = /^\/dev\/nbd(\d+)$/.exec(device)?.[1]
  assert(index !== undefined, 'an NBD disk is /dev/nbdN')
  return numberAttribute(NBD_ATTR_INDEX, 4, Number(index))
}

function socketAttribute(socket: number): Buffer {
  const item = attribute(NBD_SOCK_ITEM, numberAttribute(NBD_SOCK_FD, 4, socket))
  return attribute(NBD_ATTR_SOCKETS, item)
}

const nbdNames = (): string[] => readdirSync(BLOCK_DEVICES).filter((name) => /^nbd\d+$/.test(name))

function readIdentity(name: string): string | undefined {
  try {
    return readFileSync(path.join(BLOCK_DEVICES, name, 'backend'), 'utf8').trimEnd()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Not connected, connected by somebody else, or gone while it was read.
    if (code === 'ENOENT' || code === 'ENODEV') return undefined
    throw error
  }
}
