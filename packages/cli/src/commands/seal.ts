/** `openmaas seal <medium>`: what was written to a disk becomes a recovery point. */
import { formatBytes } from '@openmaas/kernel/units'
import { sealToSnapshot } from '@openmaas/agent/media/seal'
import { findMedium } from '@openmaas/medium/media/record'
import { mediaAccess } from '../pool/media.ts'
import { openReader } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import { Progress } from '../program/progress.ts'
import type { Site } from '../program/site.ts'
import { givenName } from '../program/source-name.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const reader = await openReader(site)
  const access = await mediaAccess(reader, site)
  const record = findMedium(access.fs, access.path, input.positionals[0]!)
  const name = givenName(input) ?? record.sourceName
  const progress = new Progress(site)
  const { out, text } = site
  let bytes = 0
  const { snapshot, readBytes, storedBytes } = await sealToSnapshot(access, record.id, {
    name,
    onGrain: (read) => {
      bytes += read
      progress.update({ phase: text('seal.reading'), bytes })
    },
  })
  progress.end()
  if (out.json) out.value({ id: snapshot.id, name, kind: snapshot.kind, readBytes, storedBytes })
  else if (out.isTerminal) {
    const id = out.paint('bold', snapshot.id.slice(-6))
    out.say(text('seal.done', { id, name, stored: formatBytes(storedBytes) }))
  } else out.line(snapshot.id)
}
