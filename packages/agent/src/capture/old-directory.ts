/** The entries that a directory had in the parent snapshot, walked beside the names of today. */
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { decodeEntry } from '@openmaas/pool/tree/entry'
import type { TreeNodeView } from '@openmaas/pool/tree/node-view'
import type { TreeReader } from '@openmaas/pool/tree/tree-reader'

export class OldDirectory {
  readonly #leaves: Iterator<TreeNodeView>
  #leaf: TreeNodeView | undefined
  #index = 0

  constructor(reader: TreeReader, node: Buffer) {
    this.#leaves = reader.leaves(node)
    this.#nextLeaf()
  }

  /** After `seek` has answered true: the node and where in it the entry stands. */
  get view(): TreeNodeView {
    return this.#leaf!
  }

  get index(): number {
    return this.#index
  }

  /** True behind the last entry. */
  get isEnded(): boolean {
    return this.#leaf === undefined
  }

  next(): void {
    this.#index += 1
    if (this.#index === this.#leaf!.count) this.#nextLeaf()
  }

  /** Names are asked for in ascending order. @returns true when the parent had that name */
  seek(name: Buffer): boolean {
    while (this.#leaf !== undefined) {
      const order = this.#leaf.compareName(this.#index, name)
      if (order === 0) return true
      if (order > 0) return false
      this.next()
    }
    return false
  }

  #nextLeaf(): void {
    this.#index = 0
    do this.#leaf = this.#leaves.next().value as TreeNodeView | undefined
    while (this.#leaf !== undefined && this.#leaf.count === 0)
  }
}

/** An old directory's entry from its bytes, or undefined when it was something else. */
export function oldDirectoryEntry(raw: Buffer | undefined): TreeEntry | undefined {
  if (raw === undefined) return undefined
  const entry = decodeEntry(raw, 0)
  return entry.kind === ENTRY_KIND.directory ? entry : undefined
}
