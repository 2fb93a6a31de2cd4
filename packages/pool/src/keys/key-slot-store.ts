/**
 * Key slot files on all bricks of a pool: `<brick>/keys/<slot>.json` and a second copy beside it,
 * `<slot>.json.copy`, because one flipped bit in the only copy would lock everybody out.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { decodeKeySlot, encodeKeySlot, isSlotName } from './key-slot.ts'
import { openKeySlot, openKeySlotAside } from './key-slot.ts'
import type { KeySlot } from './key-slot.ts'

/** A slot costs 50 ms to try: more than these would make a wrong passphrase slow. */
export const KEY_SLOTS_MAX = 16

/** A slot file has about 500 bytes. */
const SLOT_FILE_SIZE_MAX = 4096

/** In the order in which they are written and tried. */
const COPIES = ['.json', '.json.copy'] as const

function slotPaths(brick: string, slot: string): string[] {
  return COPIES.map((copy) => `${brick}/keys/${slot}${copy}`)
}

/**
 * Writes a slot to all bricks, durably; an existing one of that name is replaced.
 * @throws MaasError FS_*; FS_EXISTS from a left-over of a run at the same time
 */
export function saveKeySlot(fs: Fs, bricks: readonly string[], keySlot: KeySlot): void {
  for (const brick of bricks) {
    fs.makeDirectory(`${brick}/keys`)
    fs.makeDirectory(`${brick}/tmp`)
    const temporary = `${brick}/tmp/key-slot-${keySlot.slot}`
    for (const path of slotPaths(brick, keySlot.slot)) {
      // A process that died in here left a file that nothing refers to.
      if (fs.stat(temporary) !== undefined) fs.unlink(temporary)
      const file = fs.open(temporary, 'create')
      try {
        fs.write(file, encodeKeySlot(keySlot), 0)
        fs.dataSync(file)
      } finally {
        fs.close(file)
      }
      fs.rename(temporary, path)
      fs.syncDirectory(`${brick}/keys`)
    }
    fs.syncDirectory(brick)
  }
}

export interface SlotProblem {
  readonly path: string
  readonly error: MaasError
}

/** All slots that can be read on any brick, one per name, and what could not be read. */
export function loadKeySlots(
  fs: Fs,
  bricks: readonly string[],
): { slots: KeySlot[]; problems: SlotProblem[] } {
  const slots = new Map<string, KeySlot>()
  const problems: SlotProblem[] = []
  for (const brick of bricks) {
    const directory = `${brick}/keys`
    if (fs.stat(directory) === undefined) continue
    for (const name of fs.readDirectory(directory).toSorted()) {
      const slot = name.replace(/\.json(?:\.copy)?$/, '')
      if (slot === name || !isSlotName(slot)) continue
      const path = `${directory}/${name}`
      try {
        const keySlot = readSlot(fs, path, slot)
        if (!slots.has(slot)) slots.set(slot, keySlot)
      } catch (error) {
        if (!(error instanceof MaasError)) throw error
        problems.push({ path, error })
      }
    }
  }
  return { slots: [...slots.values()].slice(0, KEY_SLOTS_MAX), problems }
}

/**
 * Opens the pool's master key with a passphrase. Takes about 50 ms per slot.
 * @throws MaasError POOL_PASSPHRASE_WRONG when readable slots exist and none opens;
 *   POOL_KEY_SLOT_INVALID when there is none that could be read
 */
export function unlockMasterKey(
  fs: Fs,
  bricks: readonly string[],
  passphrase: string,
): { masterKey: Buffer; keySlot: KeySlot } {
  const { slots, problems } = loadKeySlots(fs, bricks)
  for (const keySlot of slots) {
    const masterKey = openKeySlot(keySlot, passphrase)
    if (masterKey !== undefined) return { masterKey, keySlot }
  }
  throw noSlotOpens(slots, problems, bricks)
}

/** As `unlockMasterKey`, while this thread goes on. */
export async function unlockMasterKeyAside(
  fs: Fs,
  bricks: readonly string[],
  passphrase: string,
): Promise<Buffer> {
  const { slots, problems } = loadKeySlots(fs, bricks)
  for (const keySlot of slots) {
    const masterKey = await openKeySlotAside(keySlot, passphrase)
    if (masterKey !== undefined) return masterKey
  }
  throw noSlotOpens(slots, problems, bricks)
}

function noSlotOpens(
  slots: readonly KeySlot[],
  problems: readonly SlotProblem[],
  bricks: readonly string[],
): MaasError {
  if (slots.length > 0) {
    const names = slots.map((keySlot) => keySlot.slot)
    const damaged = problems.map((problem) => problem.path)
    return new MaasError('POOL_PASSPHRASE_WRONG', 'the passphrase opens no key slot', {
      slots: names,
      ...(damaged.length > 0 ? { damaged } : {}),
    })
  }
  const [first] = problems
  if (first !== undefined) return first.error
  return new MaasError('POOL_KEY_SLOT_INVALID', 'the pool has no key slot', { bricks })
}

/**
 * Removes a slot from all bricks.
 * @throws MaasError POOL_KEY_SLOT_INVALID when it is the last one or does not exist
 */
export function removeKeySlot(fs: Fs, bricks: readonly string[], slot: string): void {
  const { slots } = loadKeySlots(fs, bricks)
  const others = slots.filter((keySlot) => keySlot.slot !== slot)
  if (others.length === slots.length || others.length === 0) {
    const reason = others.length === 0 ? 'it is the last one' : 'there is none of that name'
    throw new MaasError('POOL_KEY_SLOT_INVALID', `a key slot cannot be removed: ${reason}`, {
      slot,
    })
  }
  for (const brick of bricks) {
    const paths = slotPaths(brick, slot).filter((path) => fs.stat(path) !== undefined)
    for (const path of paths) fs.unlink(path)
    if (paths.length > 0) fs.syncDirectory(`${brick}/keys`)
  }
}

function readSlot(fs: Fs, path: string, slot: string): KeySlot {
  const file = fs.open(path, 'read')
  try {
    const size = fs.size(file)
    if (size > SLOT_FILE_SIZE_MAX) {
      throw new MaasError('POOL_KEY_SLOT_INVALID', 'a key slot file is too large', { path, size })
    }
    const bytes = Buffer.alloc(size)
    fs.read(file, bytes, 0)
    const keySlot = decodeKeySlot(bytes, path)
    if (keySlot.slot === slot) return keySlot
    throw new MaasError('POOL_KEY_SLOT_INVALID', 'a key slot has another name inside', { path })
  } finally {
    fs.close(file)
  }
}
