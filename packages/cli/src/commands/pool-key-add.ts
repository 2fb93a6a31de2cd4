/** `openmaas pool key add <name>` */
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { isSlotName, sealKeySlot } from '@openmaas/pool/keys/key-slot'
import { KEY_SLOTS_MAX, loadKeySlots, saveKeySlot } from '@openmaas/pool/keys/key-slot-store'
import { openReader } from '../pool/open.ts'
import { readNewPassphrase } from '../pool/passphrase.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const slot = input.positionals[0]!
  if (!isSlotName(slot)) {
    const message = `"${slot}" is no name: 1 to 32 small letters, digits and dashes`
    throw new MaasError('USAGE', message, { name: slot })
  }
  const reader = await openReader(site)
  const fs = new NodeFs()
  const { slots } = loadKeySlots(fs, reader.brickPaths)
  if (slots.some((existing) => existing.slot === slot)) {
    throw new MaasError('KEY_SLOT_EXISTS', `there is a passphrase "${slot}" already`, {
      name: slot,
    })
  }
  if (slots.length >= KEY_SLOTS_MAX) {
    throw new MaasError('USAGE', `a pool has at most ${KEY_SLOTS_MAX} passphrases`)
  }
  const passphrase = await readNewPassphrase(site, input.text('new-passphrase-file'))
  const { poolId } = reader.superblock
  const { masterKey } = reader
  const { clock } = site
  const sealed = sealKeySlot({ slot, poolId, masterKey, passphrase, random: systemRandom, clock })
  saveKeySlot(fs, reader.brickPaths, sealed)
  if (site.out.json) site.out.value({ name: slot, createdAt: sealed.createdAt })
  else site.out.say(site.text('pool-key.added', { name: slot }))
}
