/** Randomness comes in by argument: cryptographic in the product, seeded in the simulator. */
import { randomFillSync } from 'node:crypto'

export interface Random {
  bytes(count: number): Buffer
}

export const systemRandom: Random = {
  bytes: (count) => randomFillSync(Buffer.alloc(count)),
}

/** A seeded generator for tests and the simulator (xoshiro128**); never for keys. */
export class SeededRandom implements Random {
  readonly #state: Uint32Array

  constructor(seed: number) {
    // SplitMix32 spreads small seeds over the whole state.
    let x = seed >>> 0
    this.#state = Uint32Array.from({ length: 4 }, () => {
      x = (x + 0x9e3779b9) >>> 0
      let z = x
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      return (z ^ (z >>> 16)) >>> 0
    })
  }

  /** A uniform 32-bit unsigned integer. */
  uint32(): number {
    const s = this.#state
    const scaled = Math.imul(s[1]!, 5)
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0
    const t = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= t
    s[3] = (s[3]! << 11) | (s[3]! >>> 21)
    return result
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.unit() * limit)
  }

  bytes(count: number): Buffer {
    const result = Buffer.alloc(count)
    for (let i = 0; i < count; i += 1) result[i] = this.uint32() & 0xff
    return result
  }
}
