/** The product's randomness in a simulated world. */
import type { Random } from '@openmaas/kernel/random'
import { SeededRandom } from '@openmaas/kernel/random'

const PACK_ID_SIZE = 16
/** Pack directories per brick: recovery lists each, and 256 would be most of a world's steps. */
const DIRECTORIES_MASK = 0x03

export class SimRandom implements Random {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  bytes(count: number): Buffer {
    const bytes = this.#random.bytes(count)
    if (count === PACK_ID_SIZE) bytes[0]! &= DIRECTORIES_MASK
    return bytes
  }
}
