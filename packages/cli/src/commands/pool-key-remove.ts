/** `openmaas pool key remove <name>` */
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { loadKeySlots, removeKeySlot } from '@openmaas/pool/keys/key-slot-store'
import { openReader } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const name = input.positionals[0]!
  const reader = await openReader(site)
  const fs = new NodeFs()
  const { slots } = loadKeySlots(fs, reader.brickPaths)
  if (!slots.some(({ slot }) => slot === name)) {
    throw new MaasError('KEY_SLOT_NOT_FOUND', `there is no passphrase "${name}"`, { name })
  }
  if (slots.length === 1) {
    throw new MaasError('KEY_SLOT_LAST', `"${name}" is the only passphrase of the pool`, { name })
  }
  removeKeySlot(fs, reader.brickPaths, name)
  if (site.out.json) site.out.value({ removed: name })
  else site.out.say(site.text('pool-key.removed', { name }))
}
