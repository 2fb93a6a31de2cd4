/** Where the lanes of a restore read: an open pool, or a node's session through a channel. */
import type { NodeFs } from '@openmaas/kernel/node-fs'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { ChunkReader, type ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import type { ContentExtent } from '@openmaas/pool/tree/content'
import type { ChannelMemory } from '../remote/remote-lane.ts'

/** Structured-cloneable. */
export type SourceHandoff = ReaderHandoff | { readonly remote: ChannelMemory }

export interface RestoreSource extends ChunkSource {
  /** As ChunkReader.readInto. */
  readInto(id: Buffer, target: Buffer): Buffer
  /** Says what will be read next, where asking one by one is slow. */
  readAhead?(ids: readonly Buffer[]): void
  close(): void
}

export async function openSource(handoff: SourceHandoff, fs: NodeFs): Promise<RestoreSource> {
  if (!('remote' in handoff)) return new ChunkReader(handoff, { fs })
  // Only here: what checks messages of others takes 40 ms to load.
  const { RemoteLane } = await import('../remote/remote-lane.ts')
  return new RemoteLane(handoff.remote)
}

/** Chunks known in advance, and how many of them are asked for at once. */
const WINDOW = 32
const STEP = 8

/** The same extents; those to come are asked for on the way. */
export function* announced(
  source: RestoreSource,
  extents: Generator<ContentExtent>,
): Generator<ContentExtent> {
  if (source.readAhead === undefined) {
    yield* extents
    return
  }
  const window: ContentExtent[] = []
  let done = false
  for (;;) {
    if (!done && window.length <= WINDOW - STEP) {
      while (window.length < WINDOW && !done) {
        const next = extents.next()
        if (next.done === true) done = true
        else window.push(next.value)
      }
      source.readAhead(window.flatMap(({ id }) => (id === undefined ? [] : [id])))
    }
    const first = window.shift()
    if (first === undefined) return
    yield first
  }
}
