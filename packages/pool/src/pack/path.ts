/** Where a pack stands on a brick: `<brick>/packs/<first byte>/<pack id>`, in hex. */
import { assert } from '@openmaas/kernel/assert'
import { PACK_ID_SIZE } from './format.ts'

export function packsDirectory(brick: string): string {
  return `${brick}/packs`
}

export function packDirectory(brick: string, packId: Buffer): string {
  return `${brick}/packs/${packId.toString('hex', 0, 1)}`
}

export function packPath(brick: string, packId: Buffer): string {
  assert(packId.length === PACK_ID_SIZE, 'a pack id has 16 bytes')
  const hex = packId.toString('hex')
  return `${brick}/packs/${hex.slice(0, 2)}/${hex}`
}

/** @returns the id when the name is one of a pack, else undefined */
export function parsePackName(name: string): Buffer | undefined {
  return /^[0-9a-f]{32}$/.test(name) ? Buffer.from(name, 'hex') : undefined
}
