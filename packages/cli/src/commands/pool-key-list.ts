/** `openmaas pool key list` */
import { NodeFs } from '@openmaas/kernel/node-fs'
import { loadKeySlots } from '@openmaas/pool/keys/key-slot-store'
import { formatLocal } from '../format/time.ts'
import { openReader } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(_input: Input, site: Site): Promise<void> {
  const reader = await openReader(site)
  const { slots, problems } = loadKeySlots(new NodeFs(), reader.brickPaths)
  const { out, text } = site
  for (const { error, path } of problems) {
    out.error(`${out.paint('yellow', text('warning.label'))} ${path}: ${error.message}`)
  }
  if (out.json) {
    out.value(slots.map(({ slot, createdAt, kdf }) => ({ name: slot, createdAt, kdf: kdf.name })))
    return
  }
  const rows = slots.map(({ slot, createdAt }) => [
    slot,
    out.isTerminal ? formatLocal(new Date(createdAt)) : createdAt,
  ])
  out.table([{ title: text('column.name') }, { title: text('column.time') }], rows)
}
