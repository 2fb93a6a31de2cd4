/** `openmaas eject <medium|mount point>` */
import { MaasError } from '@openmaas/kernel/errors'
import { findMedium } from '@openmaas/medium/media/record'
import { mediaAccess, removeMountPoint } from '../pool/media.ts'
import { openReader } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const force = input.has('force')
  const keep = input.has('keep')
  const wanted = input.positionals[0]
  if (wanted === undefined) throw new MaasError('USAGE', 'eject wants a medium')
  const loadEject = () => import('@openmaas/agent/media/eject')
  const reader = await openReader(site, loadEject)
  const access = await mediaAccess(reader, site)
  // A path may be given as the shell completes it.
  const record = findMedium(access.fs, access.path, wanted.replace(/(.)\/+$/, '$1'))
  const { eject } = await loadEject()
  const result = await eject(access, record, { force, keep })
  // What is kept comes back to the same place.
  if (!keep) removeMountPoint(record.attachment?.mountPoint)
  const { out, text } = site
  if (out.json) out.value(result)
  else if (out.isTerminal) {
    const id = record.id.slice(-6)
    out.say(text(keep ? 'eject.kept' : 'eject.done', { id }))
  } else out.line(result.id)
}
