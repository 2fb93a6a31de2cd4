/** socketpair(2), and generic netlink as one request with its answers (linux/netlink.h). */
import { MaasError } from '../errors.ts'
import { close } from './files.ts'
import { answer, bind, checked, lazily } from './library.ts'
import { encodeMessage, familyRequest, type NetlinkMessage, readMessages } from './netlink.ts'
import { CTRL_ATTR_FAMILY_ID, findAttribute, GENL_ID_CTRL, NLMSG_ERROR } from './netlink.ts'

// sys/socket.h.
const AF_UNIX = 1
const AF_NETLINK = 16
const SOCK_STREAM = 1
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
// linux/netlink.h.
const NETLINK_GENERIC = 16

/** Answers of the kernel to one request: at most a page each, and two of them. */
const ANSWER_SIZE_MAX = 16 * 1024
const ANSWERS_MAX = 16

type Transfer = (fd: number, bytes: Buffer, length: number, flags: number) => number

const native = lazily(() => ({
  socket: bind<(domain: number, type: number, protocol: number) => number>(
    'socket',
    'int',
    'int, int, int',
  ),
  socketpair: bind<(domain: number, type: number, protocol: number, pair: Buffer) => number>(
    'socketpair',
    'int',
    'int, int, int, void *',
  ),
  send: bind<Transfer>('send', 'int64', 'int, void *, size_t, int'),
  recv: bind<Transfer>('recv', 'int64', 'int, void *, size_t, int'),
}))

/** Two connected stream sockets that no child process inherits. @throws MaasError FS_* */
export function socketPair(): [number, number] {
  const pair = Buffer.alloc(8)
  const type = SOCK_STREAM | SOCK_CLOEXEC
  checked(answer(native().socketpair(AF_UNIX, type, 0, pair)), 'socketpair')
  return [pair.readInt32LE(0), pair.readInt32LE(4)]
}

/** A generic netlink family of the kernel, asked one request at a time. */
export class GenericNetlink implements Disposable {
  readonly #fd: number
  readonly #family: number
  readonly #version: number
  #sequence = 0

  /**
   * Asking for a family makes the kernel load its module, where it is one.
   *
   * @returns undefined when this kernel has no such family
   */
  static open(family: string, version: number): GenericNetlink | undefined {
    const type = SOCK_RAW | SOCK_CLOEXEC
    const fd = checked(answer(native().socket(AF_NETLINK, type, NETLINK_GENERIC)), 'socket')
    try {
      const sequence = 1
      const { errno, messages } = exchange(fd, familyRequest(family, sequence), sequence)
      const attributes = messages.find(({ type: from }) => from === GENL_ID_CTRL)?.attributes
      const id = attributes && findAttribute(attributes, CTRL_ATTR_FAMILY_ID)
      if (errno === 0 && id !== undefined)
        return new GenericNetlink(fd, id.readUInt16LE(0), version)
    } catch (error) {
      close(fd)
      throw error
    }
    close(fd)
    return undefined
  }

  private constructor(fd: number, family: number, version: number) {
    this.#fd = fd
    this.#family = family
    this.#version = version
  }

  /**
   * Sends one command and reads what the kernel says to it, which it does before `send` returns.
   *
   * @returns 0 or minus errno, and the answers of the family
   */
  ask(command: number, attributes: Buffer): { result: number; messages: NetlinkMessage[] } {
    this.#sequence += 1
    const header = { type: this.#family, sequence: this.#sequence, command, version: this.#version }
    const request = encodeMessage(header, attributes)
    const { errno, messages } = exchange(this.#fd, request, this.#sequence)
    const own = messages.filter(({ type }) => type === this.#family)
    return { result: errno === 0 ? 0 : -errno, messages: own }
  }

  [Symbol.dispose](): void {
    close(this.#fd)
  }
}

/** @returns the errno of the kernel's acknowledgement, 0 for success, and all other answers */
function exchange(
  fd: number,
  request: Buffer,
  sequence: number,
): { errno: number; messages: NetlinkMessage[] } {
  checked(answer(native().send(fd, request, request.length, 0)), 'send')
  const bytes = Buffer.alloc(ANSWER_SIZE_MAX)
  const messages: NetlinkMessage[] = []
  for (let count = 0; count < ANSWERS_MAX; count += 1) {
    const length = checked(answer(native().recv(fd, bytes, bytes.length, MSG_DONTWAIT)), 'recv')
    for (const message of readMessages(Buffer.from(bytes.subarray(0, length)))) {
      if (message.sequence !== sequence) continue // An answer that a failed exchange left behind.
      if (message.type === NLMSG_ERROR) return { errno: message.errno, messages }
      messages.push(message)
    }
  }
  throw new MaasError('FS_IO', 'the kernel did not acknowledge a netlink request')
}
