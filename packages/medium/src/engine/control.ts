/**
 * The engine's control socket: one JSON object a line, an answer a line. It stands in the
 * medium's runtime directory with mode 0600; whoever can open it is the user who plugged.
 *
 *   {"do":"status"}   → {"ok":{…counters}}
 *   {"do":"freeze"}   → {"ok":{"layers":[…]}}   the overlay is immutable, writes go to a new one;
 *                       with {requestId, sizeBytes}: kept for a seal, and grown
 *   {"do":"rebase"}   → {"ok":{"layers":[…]}}   with {requestId, snapshotId}: what that request
 *                       froze has become that point, and the medium stands on it
 *   {"do":"resize"}   → {"ok":{"sizeBytes":…}}  the kernel will ask for the size that is served now
 *   {"do":"stop"}     → {"ok":{}}               flushes and ends, and the keeper with it
 *   a failure         → {"error":{code, message, details}}
 */
import { createConnection, createServer, type Server } from 'node:net'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { umask } from 'node:process'
import { errorToMessage, reviveError, type ErrorMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { LayerId, SnapshotId } from '@openmaas/kernel/ids'

export interface EngineCounters {
  readonly generation: number
  readonly requests: number
  readonly failures: number
  /** Bytes the overlay holds. */
  readonly overlayBytes: number
}

/** What an engine did to the medium's record. */
export interface Changed {
  readonly layers: readonly LayerId[]
  /** Milliseconds since 1970, not before the moment that was frozen; 0 when none was. */
  readonly frozenAt: number
}

/** What the asker of each verb sends with it; whoever asks for a change holds the medium's lock. */
export interface EngineRequests {
  readonly status: object
  readonly freeze: { readonly requestId?: string; readonly sizeBytes?: number }
  readonly rebase: { readonly requestId: string; readonly snapshotId: SnapshotId }
  readonly resize: object
  readonly stop: object
}

export interface EngineControl {
  status(request: EngineRequests['status']): EngineCounters
  freeze(request: EngineRequests['freeze']): Promise<Changed>
  rebase(request: EngineRequests['rebase']): Promise<Changed>
  resize(request: EngineRequests['resize']): Promise<{ sizeBytes: number }>
  stop(request: EngineRequests['stop']): Promise<Record<string, never>>
}
type Verb = keyof EngineControl

/** No message is near this; more is not ours. */
const LINE_MAX = 4096
/** Of an id that somebody else has chosen. */
export const TEXT_MAX = 512
/** A freeze waits for the requests in flight; longer than this something is wrong. */
const ANSWER_TIMEOUT_MS = 60_000

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
    return { ok: await perform(control, JSON.parse(line) as Message) }
  } catch (error) {
    return { error: errorToMessage(error) }
  }
}

type Message = { readonly [key: string]: unknown }

/** Only who plugged can write to the socket; a wrong message is a mistake all the same. */
function perform(control: EngineControl, message: Message): unknown {
  const { do: verb, requestId, snapshotId, sizeBytes } = message
  switch (verb) {
    case 'freeze':
      return control.freeze({
        ...(requestId !== undefined && { requestId: requireText(requestId) }),
        ...(sizeBytes !== undefined && { sizeBytes: requireSize(sizeBytes) }),
      })
    case 'rebase': {
      const to = requireText(snapshotId) as SnapshotId
      return control.rebase({ requestId: requireText(requestId), snapshotId: to })
    }
    case 'status':
    case 'resize':
    case 'stop':
      return control[verb]({})
    default:
      throw new MaasError('USAGE', `unknown control message "${String(verb)}"`)
  }
}

function requireText(value: unknown): string {
  if (typeof value === 'string' && value.length <= TEXT_MAX) return value
  throw new MaasError('USAGE', 'a control message without its text')
}

function requireSize(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw new MaasError('USAGE', 'a control message without its size')
}

/**
 * Asks the engine of a medium.
 *
 * @throws MaasError MEDIUM_ENGINE_UNREACHABLE when none answers, or the engine's own error
 */
export async function askEngine<V extends Verb>(
  socketPath: string,
  verb: V,
  request: EngineRequests[V] = {} as EngineRequests[V],
): Promise<Awaited<ReturnType<EngineControl[V]>>> {
  const socket = createConnection(socketPath)
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')))
  try {
    socket.write(`${JSON.stringify({ do: verb, ...request })}\n`)
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
