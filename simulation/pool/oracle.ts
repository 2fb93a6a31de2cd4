/**
 * What the users of the simulated pool were told. Knows nothing of packs, logs or indexes: only
 * which calls were made and which of them were acknowledged.
 *
 *   snapshot:  attempted ──acknowledged, or seen after a crash──▶ promised
 *              promised ──delete called──▶ either ──acknowledged, or seen gone──▶ must be gone
 */
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { Tree } from './content.ts'

interface Promised {
  readonly root: string
  /** A delete was called; whether it took place is not known. */
  deleting: boolean
}

interface Pin {
  readonly snapshots: readonly SnapshotId[]
  /** Unpin was called. */
  releasing: boolean
}

interface Lock {
  /** Pool time. */
  readonly until: number
  /** True time in which the pool's time may reach `until` at the earliest. */
  readonly trueMs: number
}

export class Oracle {
  /** Every root any session ever tried to commit. */
  readonly trees = new Map<string, Tree>()
  readonly snapshots = new Map<SnapshotId, Promised>()
  readonly deleted = new Map<SnapshotId, { readonly root: string }>()
  readonly pins = new Map<string, Pin>()
  readonly locks = new Map<SnapshotId, Lock>()

  attempt(root: string, tree: Tree): void {
    this.trees.set(root, tree)
  }

  committed(id: SnapshotId, root: string): void {
    this.snapshots.set(id, { root, deleting: false })
  }

  beginDelete(id: SnapshotId): void {
    const snapshot = this.snapshots.get(id)
    if (snapshot !== undefined) snapshot.deleting = true
  }

  /** The delete was refused before anything was written. */
  refuseDelete(id: SnapshotId): void {
    const snapshot = this.snapshots.get(id)
    if (snapshot !== undefined) snapshot.deleting = false
  }

  endDelete(id: SnapshotId): void {
    const snapshot = this.snapshots.get(id)
    if (snapshot === undefined) return
    this.deleted.set(id, snapshot)
    this.snapshots.delete(id)
  }

  /** Root of a snapshot that is or was there. */
  rootOf(id: SnapshotId): string | undefined {
    return (this.snapshots.get(id) ?? this.deleted.get(id))?.root
  }

  /**
   * Compares with what the pool says after a recovery (`settle`), or in between.
   *
   * @param settle nothing is under way: what is seen now is promised from now on
   * @throws Error I1, I2 or I3
   */
  compare(present: ReadonlyMap<SnapshotId, string>, settle: boolean): void {
    for (const [id, snapshot] of this.snapshots) {
      if (present.has(id)) {
        if (present.get(id) !== snapshot.root) throw new Error(`I1: ${id} has another root`)
        if (settle) snapshot.deleting = false
      } else if (!snapshot.deleting) {
        throw new Error(`I1: acknowledged snapshot ${id} is gone`)
      } else if (settle) this.endDelete(id)
    }
    for (const [id, root] of present) {
      if (this.deleted.has(id)) throw new Error(`I3: deleted snapshot ${id} is back`)
      if (!this.trees.has(root)) throw new Error(`I2: nobody committed ${id} with root ${root}`)
      if (settle && !this.snapshots.has(id)) this.committed(id, root)
    }
  }
}
