/**
 * The check before a commit: walks a new snapshot from its root with the collector's own visitor,
 * down to what the parent's metadata, as it was shown, vouches for.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import type { SnapshotManifest } from '@openmaas/pool/pool/types'
import { snapshotWeights } from '@openmaas/pool/tree/root'
import { type TreeVisitor, visitTree } from '@openmaas/pool/tree/visit'
import { zeroWeights } from '@openmaas/pool/tree/weights'
import { volumeManifest } from '@openmaas/pool/volume/manifest'
import { visitVolume } from '@openmaas/pool/volume/visit'
import { IdSet } from './id-table.ts'
import { kindOfClaim, type Shown } from './shown.ts'

export interface VerifyOptions {
  readonly kind: 'tree' | 'volume'
  readonly root: Buffer
  readonly source: ChunkSource
  readonly shown: Shown
  /** True for ids computed from what this session sent. */
  readonly received: (id: Buffer) => boolean
}

/** What the manifest says of the content: found out here, never taken from the agent. */
export type VerifiedSnapshot = Pick<SnapshotManifest, 'summary' | 'volume'> & {
  readonly chunkCount: number
}

/** @throws MaasError DATA_REFUSED, TREE_INVALID, VOLUME_INVALID, CHUNK_MISSING */
export function verifySnapshot(options: VerifyOptions): VerifiedSnapshot {
  const { kind, root, source, shown, received } = options
  const entered = new IdSet()
  const refuse = (id: Buffer): never => {
    const details = { chunkId: id.toString('hex') }
    throw new MaasError('DATA_REFUSED', 'a snapshot names data it was not given', details)
  }
  const visitor: TreeVisitor = {
    enter: (id, _type, claim) => {
      if (shown.hasClaim(id, claim)) return false
      // Each different claim about one node is checked: the collector may meet either first.
      if (!entered.add(Buffer.from(shown.claimKey(id, claim)))) return false
      if (received(id)) return true
      const kindShown = kindOfClaim(claim)
      if (!shown.kindsOf(id).includes(kindShown)) refuse(id)
      // The parent's, in another place: looked into, and what it holds is the parent's, too.
      shown.showReferences(kindShown, source.read(id))
      return true
    },
    leaf: (id) => {
      if (!received(id) && shown.kindsOf(id).length === 0) refuse(id)
    },
  }
  // The root is read before the visitor is asked.
  if (!received(root) && shown.kindsOf(root).length === 0) refuse(root)
  if (kind === 'tree') {
    const visited = visitTree(source, root, visitor)
    const weights = { ...zeroWeights(), ...snapshotWeights(visited.root) }
    return { chunkCount: visited.chunkCount, summary: weights }
  }
  // Its base is read before the visitor is asked, too: only a root that was received has one.
  const visited = visitVolume(guarded(source, options), root, visitor)
  const { summary, volume } = volumeManifest(source, visited.root)
  return { chunkCount: visited.chunkCount, summary, volume }
}

/** Reads nothing that the session was not given. */
function guarded(source: ChunkSource, { shown, received }: VerifyOptions): ChunkSource {
  return {
    read: (id) => {
      if (received(id) || shown.kindsOf(id).length > 0) return source.read(id)
      throw new MaasError('DATA_REFUSED', 'a snapshot names data it was not given', {
        chunkId: id.toString('hex'),
      })
    },
  }
}
