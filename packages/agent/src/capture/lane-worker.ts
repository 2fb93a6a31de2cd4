/** The worker thread of one lane: messages in, work, messages out. */
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { assert, unreachable } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { O_DIRECTORY, O_RDONLY, AT_FDCWD } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString, posixAvailable } from '@openmaas/kernel/posix/library'
import { systemRandom } from '@openmaas/kernel/random'
import { Throttle } from '@openmaas/kernel/throttle'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { makePrimitives } from '@openmaas/pool/chunk/native-primitives'
import { Chunker } from '@openmaas/pool/chunker/chunker'
import { KeyRing } from '@openmaas/pool/keys/key-ring'
import { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import { SessionLane } from '@openmaas/pool/pool/lane'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import type { RemoteLane } from '../remote/remote-lane.ts'
import { CaptureLane } from './lane.ts'
import { ThrottledSink } from './throttled-sink.ts'
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

type RemoteModule = typeof import('../remote/remote-lane.ts')
/** Loaded where it is needed: what checks messages of others takes 40 ms to load. */
let remoteModule: RemoteModule | undefined

function openPool(data: LaneWorkerData): LanePool {
  if ('remote' in data) {
    assert(remoteModule !== undefined, 'the code of remote lanes is loaded before their setup')
    const { memory, chunkIdKey, chunkerKey } = data.remote
    const lane = new remoteModule.RemoteLane(memory, chunkIdKey)
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
  const control = new Int32Array(setup.hungry)
  const isOver = (): boolean => Atomics.load(control, 1) !== 0
  const throttle = setup.throttle && new Throttle(setup.throttle)
  const lane = new CaptureLane(setup, {
    rootFd,
    sink: throttle === undefined ? sink : new ThrottledSink(sink, throttle, isOver),
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
  return { lane, sink, control, close: closeLane }
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
      const waited = 'waitedMs' in sink ? { waitedMs: sink.waitedMs } : {}
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

/** What came while code was loading; before whatever is still in the port. */
const early: ToLane[] = []

function nextMessage(): ToLane | undefined {
  const first = early.shift()
  if (first !== undefined) return first
  return (receiveMessageOnPort(port) as { message: ToLane } | undefined)?.message
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
    const next = nextMessage()
    if (next !== undefined) {
      receive(next)
      if (next.kind === 'end' || next.kind === 'stop') return
    } else if (opened?.lane.step() !== true) break
  }
  post({ kind: 'idle', handled })
}

// The run is over: the coordinator ends all lanes and gives the session up.
const fail = (error: unknown): void => post({ kind: 'failed', error: errorToMessage(error) })

function begin(message: ToLane): void {
  try {
    work(message)
  } catch (error) {
    fail(error)
  }
}

let loading = false

async function load(setup: ToLane): Promise<void> {
  loading = true
  remoteModule = await import('../remote/remote-lane.ts')
  loading = false
  begin(setup)
}

port.on('message', (message: ToLane) => {
  if (loading) early.push(message)
  else if (message.kind === 'setup' && 'remote' in message.data) load(message).catch(fail)
  else begin(message)
})
