/** `openmaas cat <point> <path>`: the bytes of one file. */
import { MaasError } from '@openmaas/kernel/errors'
import { iterateContent } from '@openmaas/pool/tree/content'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { listPoints, openReader } from '../pool/open.ts'
import { resolvePoint } from '../pool/points.ts'
import { findPath, openTree } from '../pool/tree.ts'
import type { Input } from '../program/input.ts'
import { paced } from '../program/paced.ts'
import type { Site } from '../program/site.ts'

/** Holes are written as zeros in pieces of this size. */
const HOLE = Buffer.alloc(1 << 20)

export async function run(input: Input, site: Site): Promise<void> {
  const [wanted, where] = input.positionals
  if (site.out.json)
    throw new MaasError('USAGE', 'the bytes of a file are not JSON', { option: 'json' })
  const reader = await openReader(site)
  const point = resolvePoint(listPoints(reader), wanted!, site.clock.wallMs())
  const tree = openTree(reader.chunks, point)
  const entry = tree.resolve(findPath(tree, point, where!).entry)
  if (entry.kind !== ENTRY_KIND.file) {
    throw new MaasError('USAGE', `"${where}" is not a regular file`, { path: where! })
  }
  const { write } = site.out.options
  const extents = iterateContent(reader.chunks, entry)
  for await (const { id, length } of paced(extents, site.signal, (extent) => extent)) {
    if (id !== undefined) {
      write(reader.chunks.read(id))
      continue
    }
    for (let left = length; left > 0; left -= HOLE.length) {
      site.signal.throwIfAborted()
      write(HOLE.subarray(0, Math.min(left, HOLE.length)))
    }
  }
}
