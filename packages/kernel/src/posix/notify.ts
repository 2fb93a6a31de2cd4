/** A datagram to the service manager: sd_notify(3) without libsystemd. */
import { close } from './files.ts'
import { answer, bind, checked, lazily } from './library.ts'

// sys/socket.h.
const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000
/** What struct sockaddr_un holds on Linux, less the terminating NUL. */
const SOCKET_PATH_MAX = 107

type SendTo = (
  fd: number,
  bytes: Buffer,
  length: number,
  flags: number,
  address: Buffer,
  addressLength: number,
) => number

const native = lazily(() => ({
  socket: bind<(domain: number, type: number, protocol: number) => number>(
    'socket',
    'int',
    'int, int, int',
  ),
  sendto: bind<SendTo>('sendto', 'int64', 'int, void *, size_t, int, void *, uint'),
}))

/**
 * @param socketPath of $NOTIFY_SOCKET; one that begins with `@` is in the abstract namespace
 * @param state such as `READY=1`
 * @throws MaasError FS_* when nobody listens there
 */
export function notifyManager(socketPath: string, state: string): void {
  const name = Buffer.from(socketPath.replace(/^@/, '\0')).subarray(0, SOCKET_PATH_MAX)
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), name])
  const bytes = Buffer.from(state)
  const fd = checked(answer(native().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), 'socket')
  try {
    const sent = native().sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length)
    checked(answer(sent), 'sendto', socketPath)
  } finally {
    close(fd)
  }
}
