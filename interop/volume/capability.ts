/** What the kernel lets this process do. */
import { readFileSync } from 'node:fs'

/** Bit of CapEff: to resize an ext4 that is mounted. */
export const CAP_SYS_RESOURCE = 24n

export function hasCapability(bit: bigint): boolean {
  const line = readFileSync('/proc/self/status', 'utf8').match(/^CapEff:\s+(\w+)$/m)
  return ((BigInt(`0x${line![1]!}`) >> bit) & 1n) === 1n
}
