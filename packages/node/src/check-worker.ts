/** The thread of checkSnapshots. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { CHUNK_SIZE_MAX } from '@openmaas/pool/chunk/chunk'
import { SNAPSHOT_VISITORS } from '@openmaas/pool/gc/visitors'
import { ChunkReader, type ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import type { Result } from '@openmaas/protocols/channel/orders'

export interface CheckRequest {
  readonly reader: ReaderHandoff
  readonly snapshots: readonly Pick<SnapshotRow, 'id' | 'kind' | 'root' | 'chunkCount'>[]
  readonly data: boolean
  /** Int32: 1 ends the check. */
  readonly stop: SharedArrayBuffer
}

export type FromChecker =
  | { readonly kind: 'progress'; readonly bytesDone: number; readonly itemsDone: number }
  | { readonly kind: 'done'; readonly result: Result<'pool.check'> }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

/** Visited ids remembered across snapshots: 100 MB at worst. Beyond, a chunk is read twice. */
const VISITED_MAX = 1_000_000
const PROBLEMS_MAX = 1000
const PROGRESS_EVERY = 256

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const post = (message: FromChecker): void => port.postMessage(message)

function check({ reader, snapshots, data, stop }: CheckRequest): Result<'pool.check'> {
  const control = new Int32Array(stop)
  const chunks = new ChunkReader(reader, { fs: new NodeFs() })
  const target = Buffer.alloc(CHUNK_SIZE_MAX)
  const entered = new Set<string>()
  const problems: string[] = []
  let [checkedBytes, itemsDone] = [0, 0]
  const count = (bytes: number): void => {
    checkedBytes += bytes
    itemsDone += 1
    if (itemsDone % PROGRESS_EVERY !== 0) return
    post({ kind: 'progress', bytesDone: checkedBytes, itemsDone })
    if (Atomics.load(control, 0) !== 0) throw new MaasError('CANCELLED', 'the check was cancelled')
  }
  const note = (snapshot: string, error: unknown): void => {
    if (!isMaasError(error) || error.code === 'CANCELLED') throw error
    if (problems.length < PROBLEMS_MAX) {
      problems.push(`snapshot ${snapshot}: ${error.code}: ${error.message}`.slice(0, 4096))
    }
  }
  for (const { id: snapshot, kind, root, chunkCount } of snapshots) {
    try {
      const visited = SNAPSHOT_VISITORS[kind](chunks, Buffer.from(root, 'hex'), {
        enter: (id, type) => {
          const key = `${type}${id.toString('latin1')}`
          if (entered.has(key)) return false
          if (entered.size < VISITED_MAX) entered.add(key)
          count(0)
          return true
        },
        leaf: (id) => {
          const key = id.toString('latin1')
          if (entered.has(key)) return
          if (entered.size < VISITED_MAX) entered.add(key)
          try {
            if (data) count(chunks.readInto(id, target).length)
            else if (!chunks.has(id)) {
              const details = { chunkId: id.toString('hex') }
              throw new MaasError('CHUNK_MISSING', 'the pool does not hold a chunk', details)
            }
          } catch (error) {
            note(snapshot, error)
          }
        },
      })
      if (visited.chunkCount !== chunkCount) {
        throw new MaasError('TREE_INVALID', 'it does not hold the chunks that the log says')
      }
    } catch (error) {
      note(snapshot, error)
    }
  }
  chunks.close()
  return { problems, checkedBytes }
}

try {
  post({ kind: 'done', result: check(workerData as CheckRequest) })
} catch (error) {
  post({ kind: 'failed', error: errorToMessage(error) })
}
