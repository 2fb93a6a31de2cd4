/**
 * The hash that orders a large directory: half-MD4 over unsigned name bytes, seeded (kernel:
 * fs/ext4/hash.c, DX_HASH_HALF_MD4_UNSIGNED). Bit 0 of the result is always clear: the index uses
 * it to say "continued from the leaf before".
 */

const K2 = 0x5a827999
const K3 = 0x6ed9eba1
/** Hash values at the very end mean "end of directory" to readdir. */
const HASH_END = 0xfffffffe
const HASH_LAST = 0xfffffffc

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by))
const f = (x: number, y: number, z: number): number => z ^ (x & (y ^ z))
const g = (x: number, y: number, z: number): number => ((x & y) + ((x ^ y) & z)) | 0
const h = (x: number, y: number, z: number): number => x ^ y ^ z

/** Which word each step takes, and how far it rotates. */
const ROUND_2 = [1, 3, 5, 7, 0, 2, 4, 6]
const ROUND_3 = [3, 7, 2, 6, 1, 5, 0, 4]
const SHIFTS_1 = [3, 7, 11, 19]
const SHIFTS_2 = [3, 5, 9, 13]
const SHIFTS_3 = [3, 9, 11, 15]

const words = new Int32Array(8)

function transform(state: Int32Array): void {
  let a = state[0]!
  let b = state[1]!
  let c = state[2]!
  let d = state[3]!
  for (let i = 0; i < 8; i += 1) {
    const next = rotate((a + f(b, c, d) + words[i]!) | 0, SHIFTS_1[i & 3]!)
    a = d
    d = c
    c = b
    b = next
  }
  for (let i = 0; i < 8; i += 1) {
    const next = rotate((a + g(b, c, d) + words[ROUND_2[i]!]! + K2) | 0, SHIFTS_2[i & 3]!)
    a = d
    d = c
    c = b
    b = next
  }
  for (let i = 0; i < 8; i += 1) {
    const next = rotate((a + h(b, c, d) + words[ROUND_3[i]!]! + K3) | 0, SHIFTS_3[i & 3]!)
    a = d
    d = c
    c = b
    b = next
  }
  state[0] = state[0]! + a
  state[1] = state[1]! + b
  state[2] = state[2]! + c
  state[3] = state[3]! + d
}

/** Fills the eight words with the next 32 name bytes, padded by the count of what is left. */
function loadWords(bytes: Buffer, offset: number, left: number): void {
  const pad = left | (left << 8) | (left << 16) | (left << 24) | 0
  const length = Math.min(left, 32)
  let word = 0
  let value = pad
  for (let i = 0; i < length; i += 1) {
    value = (bytes[offset + i]! + (value << 8)) | 0
    if ((i & 3) === 3) {
      words[word] = value
      word += 1
      value = pad
    }
  }
  if (word < 8) {
    words[word] = value
    word += 1
  }
  while (word < 8) {
    words[word] = pad
    word += 1
  }
}

const state = new Int32Array(4)

/** @param seed the four words of s_hash_seed, not all zero */
export function hashName(
  bytes: Buffer,
  at: { readonly offset: number; readonly length: number },
  seed: Int32Array,
): number {
  state.set(seed)
  let offset = at.offset
  for (let left = at.length; left > 0; left -= 32) {
    loadWords(bytes, offset, left)
    transform(state)
    offset += 32
  }
  const hash = (state[1]! & ~1) >>> 0
  return hash === HASH_END ? HASH_LAST : hash
}
