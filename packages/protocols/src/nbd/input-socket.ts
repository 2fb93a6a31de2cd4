/**
 * Reading from an accepted socket without a copy and without a new buffer per read.
 *
 * Node lets a *client* socket read into buffers of its owner (`onread`), but offers no such option
 * to a server; a `net.Socket` made over the accepted handle does it. That leans on the private
 * `_handle`, so the shape is tested first and the plain 'data' events are the fallback: slower
 * (PERFORMANCE.md section 4: 3.3 against 6.0 GB/s), and otherwise the same.
 */
import net from 'node:net'
import { KiB } from '@openmaas/kernel/units'

/** One read takes at most this much: a batch of 60 requests of 4 KiB. */
const INPUT_SIZE = 256 * KiB

export interface InputReceiver {
  /** Bytes that came; they are valid during the call unless `retainsInput` says otherwise. */
  receive(bytes: Buffer): void
  /** Where the next read may put its bytes, when that spares a copy. */
  inputTarget(): Buffer | undefined
  /** True when the bytes of the last `receive` are still in use. */
  retainsInput(): boolean
}

interface StreamHandle {
  useUserBuffer: unknown
  readStart: unknown
  readStop: unknown
}

/** An accepted socket that has read nothing yet (`pauseOnConnect`), delivering to `receiver`. */
export function attachInput(socket: net.Socket, receiver: InputReceiver): net.Socket {
  const handle = takeHandle(socket)
  if (handle === undefined) return attachPlainInput(socket, receiver)
  let input = Buffer.allocUnsafeSlow(INPUT_SIZE)
  // `handle` is what cluster and child_process pass; the types know it otherwise.
  const options: Omit<net.SocketConstructorOpts, 'handle'> & { handle: unknown } = {
    handle,
    onread: {
      buffer: () => receiver.inputTarget() ?? input,
      callback: (size, bytes) => {
        receiver.receive(Buffer.from(bytes.buffer, bytes.byteOffset, size))
        if (receiver.retainsInput()) input = Buffer.allocUnsafeSlow(INPUT_SIZE)
        return true
      },
    },
  }
  return new net.Socket(options as net.SocketConstructorOpts)
}

/** The way without private parts, and the only one under TLS. */
export function attachPlainInput<Stream extends net.Socket>(
  socket: Stream,
  receiver: InputReceiver,
): Stream {
  socket.on('data', (bytes: Buffer) => {
    receiver.receive(bytes)
    receiver.retainsInput() // Every event has a buffer of its own.
  })
  return socket
}

/** Takes the handle out of a paused socket and lets the empty shell close. */
function takeHandle(socket: net.Socket): StreamHandle | undefined {
  const shell = socket as unknown as { _handle: unknown }
  const handle = shell._handle
  if (!isStreamHandle(handle)) return undefined
  shell._handle = null
  socket.destroy() // Without a handle this only tells the server that the socket is gone.
  return handle
}

function isStreamHandle(handle: unknown): handle is StreamHandle {
  if (typeof handle !== 'object' || handle === null) return false
  const shape = handle as Partial<StreamHandle>
  return [shape.useUserBuffer, shape.readStart, shape.readStop].every(
    (member) => typeof member === 'function',
  )
}
