/**
 * Chunks that need not be sent: those of the parent that were shown, and those sent already. A
 * cache of fixed size, in which a newer id takes the place of an older one: what is forgotten is
 * sent again, which costs bandwidth and nothing else.
 */
const ID_SIZE = 32
/** 8 MiB per lane; ids of 16 GiB of a disk image. */
export const KNOWN_SLOTS = 1 << 18

const EMPTY = 0
const DATA = 1
/** Known as metadata: the node has shown it in that role. */
const METADATA = 2

export class KnownChunks {
  readonly #ids = Buffer.alloc(KNOWN_SLOTS * ID_SIZE)
  readonly #roles = new Uint8Array(KNOWN_SLOTS)

  add(id: Buffer, isMetadata: boolean): void {
    const slot = slotOf(id)
    id.copy(this.#ids, slot * ID_SIZE)
    this.#roles[slot] = isMetadata ? METADATA : DATA
  }

  /** Bytes that were shown as file content are not thereby shown as metadata. */
  has(id: Buffer, isMetadata: boolean): boolean {
    const slot = slotOf(id)
    const role = this.#roles[slot]!
    if (role === EMPTY || (isMetadata && role !== METADATA)) return false
    return this.#ids.compare(id, 0, ID_SIZE, slot * ID_SIZE, (slot + 1) * ID_SIZE) === 0
  }
}

function slotOf(id: Buffer): number {
  return id.readUInt32LE(0) & (KNOWN_SLOTS - 1)
}
