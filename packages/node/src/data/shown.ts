/**
 * The references that a session has been shown: docs/protocols/data.md, "What an agent may name".
 *
 * Two keys per reference with something below it: id and kind alone (may be read), and id, kind
 * and the parent's claim (stands for everything below it at the commit). A leaf has one.
 */
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { MaasError } from '@openmaas/kernel/errors'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { type Claim, treeReferences, type TreeReference } from '@openmaas/pool/tree/visit'
import { writeWeights } from '@openmaas/pool/tree/weights'
import { type MapReference, volumeReferences } from '@openmaas/pool/volume/visit'
import { SharedIdSet } from './id-table.ts'

/** What the bytes behind an id are, in a place where it was shown. */
export const ShownKind = {
  treeRoot: 1,
  node: 2,
  link: 3,
  list: 4,
  volumeRoot: 5,
  map: 6,
  metadataLeaf: 7,
  dataLeaf: 8,
} as const
export type ShownKind = (typeof ShownKind)[keyof typeof ShownKind]

const ID_SIZE = 32
const CLAIM_SIZE = 2 + 64
/** More than any session is shown; 2 GiB of address space when a parent has so many. */
export const REFERENCES_MAX = 50_000_000

export class Shown {
  readonly #set: SharedIdSet
  readonly #hasher = new Blake3Hasher()
  readonly #input = Buffer.alloc(1 + ID_SIZE + CLAIM_SIZE)

  constructor(memory: SharedArrayBuffer) {
    this.#set = new SharedIdSet(memory)
  }

  /** @param references in the snapshot that is shown, as the log states them */
  static allocate(references: number): SharedArrayBuffer {
    return SharedIdSet.allocate(references * 2 + 16)
  }

  showRoot(kind: 'tree' | 'volume', id: Buffer): void {
    this.#add(this.#readKey(kind === 'tree' ? ShownKind.treeRoot : ShownKind.volumeRoot, id))
  }

  /** The kinds in which the id was shown. */
  kindsOf(id: Buffer): ShownKind[] {
    return Object.values(ShownKind).filter((kind) => this.#set.has(this.#readKey(kind, id)))
  }

  /** True when the parent said exactly this: then all below is the parent's. */
  hasClaim(id: Buffer, claim: Claim): boolean {
    return this.#set.has(this.claimKey(id, claim))
  }

  /**
   * Shows what stands in a chunk.
   *
   * @throws MaasError when the bytes are of another kind
   */
  showReferences(kind: ShownKind, bytes: Buffer): void {
    const visitor = {
      leaf: (id: Buffer, type: ChunkType) => {
        const leaf = type === ChunkType.data ? ShownKind.dataLeaf : ShownKind.metadataLeaf
        this.#add(this.#readKey(leaf, id))
      },
    }
    switch (kind) {
      case ShownKind.treeRoot:
        this.#showAll(treeReferences('treeRoot', bytes, visitor))
        return
      case ShownKind.node:
        this.#showAll(treeReferences('node', bytes, visitor))
        return
      case ShownKind.link:
        this.#showAll(treeReferences('link', bytes, visitor))
        return
      case ShownKind.list:
        this.#showAll(treeReferences('list', bytes, visitor))
        return
      case ShownKind.volumeRoot:
      case ShownKind.map: {
        const what = kind === ShownKind.map ? 'map' : 'volumeRoot'
        const { nodes, base } = volumeReferences(what, bytes, visitor)
        this.#showAll(nodes)
        if (base !== undefined) this.showRoot('tree', base)
        return
      }
      default: // Leaves hold no references.
    }
  }

  #showAll(references: readonly (TreeReference | MapReference)[]): void {
    for (const reference of references) {
      this.#add(this.#readKey(kindOfClaim(reference), reference.id))
      this.#add(this.claimKey(reference.id, reference))
    }
  }

  #add(key: Buffer): void {
    if (this.#set.add(key)) return
    throw new MaasError('DATA_REFUSED', 'the parent shows more references than the log says')
  }

  /** 120 bits of the id with the kind in front of them; ids are digests already. */
  #readKey(kind: ShownKind, id: Buffer): Buffer {
    const key = this.#input.subarray(0, 16)
    id.copy(key, 0, 0, 16)
    key[15] = kind
    return key
  }

  /** A digest of the reference as a whole, 16 bytes. */
  claimKey(id: Buffer, claim: Claim): Buffer {
    const input = this.#input.fill(0)
    input[0] = kindOfClaim(claim)
    id.copy(input, 1)
    const at = 1 + ID_SIZE
    if (claim.kind === 'node') {
      input[at] = claim.level ?? 255
      writeWeights(claim.weights, input, at + 2)
    } else if (claim.kind === 'list') {
      input[at] = claim.level
      input.writeDoubleLE(claim.size, at + 2)
      input.writeDoubleLE(claim.chunks, at + 10)
    } else if (claim.kind === 'map') {
      input[at] = claim.level
      input.writeDoubleLE(claim.chunks, at + 2)
      input.writeDoubleLE(claim.nodes, at + 10)
    }
    this.#hasher.reset()
    return Buffer.from(this.#hasher.update(input).digest('hex').slice(0, 32), 'hex')
  }
}

export function kindOfClaim(claim: Claim): ShownKind {
  switch (claim.kind) {
    case 'node':
      return claim.linkTable ? ShownKind.link : ShownKind.node
    default:
      return ShownKind[claim.kind]
  }
}
