/** The 16 bytes of a pool id: the ULID behind `pol_` as a big-endian 128-bit number. */
import { assert } from '@openmaas/kernel/assert'
import { isId } from '@openmaas/kernel/ids'
import type { PoolId } from '@openmaas/kernel/ids'

export const POOL_ID_SIZE = 16

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export function encodePoolId(poolId: PoolId): Buffer {
  assert(isId('pool', poolId), 'a pool id was minted by the kernel or checked when it was read')
  let value = 0n
  for (const letter of poolId.slice(4)) value = (value << 5n) | BigInt(ALPHABET.indexOf(letter))
  // 26 letters hold 130 bits; a ULID leaves the first two zero.
  assert(value < 1n << 128n, 'a ULID has 128 bits')
  return Buffer.from(value.toString(16).padStart(2 * POOL_ID_SIZE, '0'), 'hex')
}
