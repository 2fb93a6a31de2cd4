/** The worker thread of one lane: messages in, work, messages out. */
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { assert, unreachable } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { O_DIRECTORY, O_RDONLY, AT_FDCWD } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString, posixAvailable } from '@openmaas/kernel/posix/library'
import { systemRandom } from '@openmaas/kernel/random'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { makePrimitives } from '@openmaas/pool/chunk/native-primitives'
import { Chunker } from '@openmaas/pool/chunker/chunker'
import { KeyRing } from '@openmaas/pool/keys/key-ring'
import { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import { SessionLane } from '@openmaas/pool/pool/lane'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { RemoteLane } from '../remote/remote-lane.ts'
import { CaptureLane } from './lane.ts'
import { asBuffer, type FromLane, type LaneWorkerData, type ToLane } from './messages.ts'

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const post = (message: FromLane): void => port.postMessage(message)
let handled = 0

// Bound now, while the owner still unlocks the pool.
makePrimitives()
posixAvailable()

interface OpenLane {
  readonly lane: CaptureLane
  readonly sink: LanePool['sink']
  /** [1] says that the run is over. */
  readonly control: Int32Array
  close(): void
}

/** What a lane reads and writes: a pool of this process, or a node's through its channel. */
interface LanePool {
  readonly sink: SessionLane | RemoteLane
  readonly source: ChunkSource & { close(): void }
  readonly chunkerKey: Buffer
}

function openPool(data: LaneWorkerData): LanePool {
  if ('remote' in data) {
    const { memory, chunkIdKey, chunkerKey } = data.remote
    const lane = new RemoteLane(memory, chunkIdKey)
    return { sink: lane, source: lane, chunkerKey: asBuffer(chunkerKey) }
  }
  const fs = new NodeFs()
  const { session, reader } = data
  const { chunkerKey } = new KeyRing(Buffer.from(session.masterKey), session.poolId)
  const sink = new SessionLane(session, {
    fs,
    random: systemRandom,
    onSealed: (pack) => post({ kind: 'sealed', pack }),
  })
  return { sink, source: new ChunkReader(reader, { fs }), chunkerKey }
}

function openLane(data: LaneWorkerData): OpenLane {
  const { setup } = data
  const { sink, source, chunkerKey } = openPool(data)
  const path = cString(setup.path)
  const rootFd = checked(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY), 'open', setup.path)
  const lane = new CaptureLane(setup, {
    rootFd,
    sink,
    chunker: new Chunker(chunkerKey),
    old: setup.parentRoot && new TreeReader(source, asBuffer(setup.parentRoot)),
    post,
    stored: () => sink.counters,
  })
  const closeLane = (): void => {
    sink.close()
    source.close()
    close(rootFd)
  }
  return { lane, sink, control: new Int32Array(setup.hungry), close: closeLane }
}

let opened: OpenLane | undefined

function receive(message: ToLane): void {
  handled += 1
  if (message.kind === 'stop') {
    release()
    return
  }
  if (message.kind === 'setup') {
    opened = openLane(message.data)
    return
  }
  assert(opened !== undefined, 'a lane is set up before it gets work')
  const { lane, sink } = opened
  switch (message.kind) {
    case 'task':
      lane.addTask(message.task, message.ticket)
      return
    case 'result':
      lane.addResult(message.ticket, message.result)
      return
    case 'help':
      lane.help(message.offer)
      return
    case 'end': {
      const root = message.finish && lane.finish(message.finish)
      sink.flush()
      const waited = sink instanceof RemoteLane ? { waitedMs: sink.waitedMs } : {}
      post({ kind: 'ended', report: { ...lane.report(), ...waited }, root })
      release()
      return
    }
    default:
      unreachable(message)
  }
}

function release(): void {
  opened?.close()
  opened = undefined
  port.close()
}

/** Works until nothing is left, looking at the port in between. */
function work(first: ToLane): void {
  receive(first)
  if (first.kind === 'end' || first.kind === 'stop') return
  for (;;) {
    if (opened !== undefined && Atomics.load(opened.control, 1) !== 0) {
      release()
      return
    }
    const next = receiveMessageOnPort(port) as { message: ToLane } | undefined
    if (next !== undefined) {
      receive(next.message)
      if (next.message.kind === 'end' || next.message.kind === 'stop') return
    } else if (opened?.lane.step() !== true) break
  }
  post({ kind: 'idle', handled })
}

port.on('message', (message: ToLane) => {
  try {
    work(message)
  } catch (error) {
    // The run is over: the coordinator ends all lanes and gives the session up.
    post({ kind: 'failed', error: errorToMessage(error) })
  }
})
