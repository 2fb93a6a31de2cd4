/** What of an entry changed, in words that stay the same in both languages and in --json. */
import type { TreeChange } from '@openmaas/pool/tree/diff'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import type { TreeReader } from '@openmaas/pool/tree/tree-reader'

export function changedFields(
  { before, after }: TreeChange,
  from: TreeReader,
  to: TreeReader,
): string[] {
  if (before === undefined || after === undefined) return []
  const a = from.resolve(before)
  const b = to.resolve(after)
  const fields: string[] = []
  if (a.kind !== b.kind) return ['kind']
  if (a.size !== b.size && a.directory === undefined) fields.push('size')
  if (!sameBytes(a.content?.id, b.content?.id)) fields.push('content')
  if (!sameBytes(a.target, b.target)) fields.push('target')
  if (a.device?.major !== b.device?.major || a.device?.minor !== b.device?.minor) {
    fields.push('device')
  }
  if (a.mode !== b.mode) fields.push('mode')
  if (a.uid !== b.uid || a.gid !== b.gid) fields.push('owner')
  if (a.mtimeSec !== b.mtimeSec || a.mtimeNs !== b.mtimeNs) fields.push('time')
  if (before.kind !== after.kind) fields.push('links')
  if (!sameXattrs(a, b, from, to)) fields.push('attributes')
  return fields
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

function sameXattrs(a: TreeEntry, b: TreeEntry, from: TreeReader, to: TreeReader): boolean {
  const [old, young] = [from.xattrs(a), to.xattrs(b)]
  if (old.length !== young.length) return false
  return old.every((pair, i) => {
    const other = young[i]!
    return pair.name.equals(other.name) && pair.value.equals(other.value)
  })
}
