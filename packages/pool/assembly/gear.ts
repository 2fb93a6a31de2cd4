// AssemblyScript, not TypeScript: the kernel of the content-defined chunker.
// Rule and constants: docs/formats/chunking.md. Built by tools/build-chunker.ts.
// The host owns the memory and checks every length; nothing here allocates.

const SIZE_MIN: i32 = 16384
const SIZE_AVERAGE: i32 = 65536
const SIZE_MAX: i32 = 262144
const MASK_BEFORE_AVERAGE: u64 = 0xffff_8000_0000_0000
const MASK_AFTER_AVERAGE: u64 = 0xfffc_0000_0000_0000

/** Small enough that the optimizer inlines it. */
function roll(hash: u64, table: usize, byte: u32): u64 {
  return (hash << 1) + load<u64>(table + ((<usize>byte) << 3))
}

/** Length of the chunk that begins at `input`, with `length` bytes to the end of the buffer. */
function nextCut(input: usize, length: i32, table: usize): i32 {
  if (length <= SIZE_MIN) return length
  const limit = length < SIZE_MAX ? length : SIZE_MAX
  const average = SIZE_AVERAGE < limit ? SIZE_AVERAGE : limit
  let hash: u64 = 0
  let i: i32 = SIZE_MIN
  // Four bytes a turn: one load feeds four steps of the hash. SIZE_MIN and SIZE_AVERAGE are
  // multiples of 4, so only the end of the buffer is left for single steps.
  for (; i + 4 <= average; i += 4) {
    const word = load<u32>(input + i)
    hash = roll(hash, table, word & 255)
    if (!(hash & MASK_BEFORE_AVERAGE)) return i + 1
    hash = roll(hash, table, (word >> 8) & 255)
    if (!(hash & MASK_BEFORE_AVERAGE)) return i + 2
    hash = roll(hash, table, (word >> 16) & 255)
    if (!(hash & MASK_BEFORE_AVERAGE)) return i + 3
    hash = roll(hash, table, word >> 24)
    if (!(hash & MASK_BEFORE_AVERAGE)) return i + 4
  }
  for (; i < average; i++) {
    hash = roll(hash, table, load<u8>(input + i))
    if (!(hash & MASK_BEFORE_AVERAGE)) return i + 1
  }
  for (; i + 4 <= limit; i += 4) {
    const word = load<u32>(input + i)
    hash = roll(hash, table, word & 255)
    if (!(hash & MASK_AFTER_AVERAGE)) return i + 1
    hash = roll(hash, table, (word >> 8) & 255)
    if (!(hash & MASK_AFTER_AVERAGE)) return i + 2
    hash = roll(hash, table, (word >> 16) & 255)
    if (!(hash & MASK_AFTER_AVERAGE)) return i + 3
    hash = roll(hash, table, word >> 24)
    if (!(hash & MASK_AFTER_AVERAGE)) return i + 4
  }
  for (; i < limit; i++) {
    hash = roll(hash, table, load<u8>(input + i))
    if (!(hash & MASK_AFTER_AVERAGE)) return i + 1
  }
  return limit
}

/**
 * Writes the u32 lengths of all chunks to `lengths` and returns their count. With `isEnd` zero,
 * stops before a chunk that bytes after the buffer could still make longer.
 */
export function cutAll(input: usize, length: i32, table: usize, lengths: usize, isEnd: i32): i32 {
  let count: i32 = 0
  let begin: i32 = 0
  while (begin < length) {
    const rest = length - begin
    const size = nextCut(input + begin, rest, table)
    if (!isEnd && size == rest && rest < SIZE_MAX) break
    store<u32>(lengths + ((<usize>count) << 2), size)
    count++
    begin += size
  }
  return count
}
