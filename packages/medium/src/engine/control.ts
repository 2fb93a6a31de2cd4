/**
 * The engine's control socket: one JSON object a line, an answer a line. It stands in the
 * medium's runtime directory with mode 0600; whoever can open it is the user who plugged.
 *
 *   {"do":"status"}   → {"ok":{…counters}}
 *   {"do":"freeze"}   → {"ok":{"layers":[…]}}   the overlay is immutable, writes go to a new one
 *   {"do":"stop"}     → {"ok":{}}               flushes and ends, and the keeper with it
 *   a failure         → {"error":{code, message, details}}
 */
import { createConnection, createServer, type Server } from 'node:net'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { umask } from 'node:process'
import { errorToMessage, reviveError, type ErrorMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { LayerId } from '@openmaas/kernel/ids'

export interface EngineCounters {
  readonly generation: number
  readonly requests: number
  readonly failures: number
  /** Bytes the overlay holds. */
  readonly overlayBytes: number
}

export interface EngineControl {
  status(): EngineCounters
  freeze(): Promise<{ layers: LayerId[] }>
  stop(): Promise<Record<string, never>>
}
type Verb = keyof EngineControl

/** No message is near this; more is not ours. */
const LINE_MAX = 4096
/** A freeze waits for the requests in flight; longer than this something is wrong. */
const ANSWER_TIMEOUT_MS = 30_000

export function serveControl(socketPath: string, control: EngineControl): Server {
  rmSync(socketPath, { force: true }) // Of an engine that died.
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy()) // The asker left; there is nobody to tell.
    const lines = createInterface({ input: socket, crlfDelay: Infinity })
    lines.on('error', () => socket.destroy())
    lines.on('line', (line) => {
      void answer(control, line).then((reply) => {
        if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`)
      })
    })
  })
  const previous = umask(0o177) // The socket is made with mode 0600, not changed to it.
  try {
    server.listen(socketPath)
  } finally {
    umask(previous)
  }
  return server
}

async function answer(control: EngineControl, line: string): Promise<unknown> {
  try {
    if (line.length > LINE_MAX) throw new MaasError('USAGE', 'control message too long')
    const verb = (JSON.parse(line) as { do?: string }).do
    if (verb !== 'status' && verb !== 'freeze' && verb !== 'stop') {
      throw new MaasError('USAGE', `unknown control message "${String(verb)}"`)
    }
    return { ok: await control[verb]() }
  } catch (error) {
    return { error: errorToMessage(error) }
  }
}

/**
 * Asks the engine of a medium.
 *
 * @throws MaasError MEDIUM_ENGINE_UNREACHABLE when none answers, or the engine's own error
 */
export async function askEngine<V extends Verb>(
  socketPath: string,
  verb: V,
): Promise<Awaited<ReturnType<EngineControl[V]>>> {
  const socket = createConnection(socketPath)
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')))
  try {
    socket.write(`${JSON.stringify({ do: verb })}\n`)
    for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
      const reply = JSON.parse(line) as { ok?: unknown; error?: ErrorMessage }
      if (reply.error !== undefined) throw reviveError(reply.error)
      return reply.ok as Awaited<ReturnType<EngineControl[V]>>
    }
    throw new Error('the connection closed without an answer')
  } catch (cause) {
    if (cause instanceof MaasError) throw cause
    const message = 'the engine of the medium does not answer'
    throw new MaasError('MEDIUM_ENGINE_UNREACHABLE', message, { socket: socketPath }, { cause })
  } finally {
    socket.destroy()
  }
}
