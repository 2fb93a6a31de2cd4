/** An entry of a tree as `ls -l` shows it, and as JSON. */
import { ENTRY_KIND, type EntryKind } from '@openmaas/pool/tree/entry-layout'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import type { SnapshotManifest } from '@openmaas/pool/pool/types'

const KINDS: Readonly<Record<EntryKind, readonly [name: string, letter: string]>> = {
  [ENTRY_KIND.file]: ['file', '-'],
  [ENTRY_KIND.directory]: ['directory', 'd'],
  [ENTRY_KIND.symlink]: ['symlink', 'l'],
  [ENTRY_KIND.fifo]: ['fifo', 'p'],
  [ENTRY_KIND.socket]: ['socket', 's'],
  [ENTRY_KIND.charDevice]: ['charDevice', 'c'],
  [ENTRY_KIND.blockDevice]: ['blockDevice', 'b'],
  // Resolved before it is shown; the name is for what cannot be.
  [ENTRY_KIND.hardLink]: ['file', '-'],
}

/** `drwxr-xr-x` */
export function modeText(kind: EntryKind, mode: number): string {
  let text = KINDS[kind][1]
  for (const shift of [6, 3, 0]) {
    const bits = (mode >> shift) & 7
    const special =
      (mode & [0o1000, 0o2000, 0, 0o4000][shift === 0 ? 0 : shift === 3 ? 1 : 3]!) !== 0
    const letter = shift === 0 ? 't' : 's'
    const execute = (bits & 1) !== 0
    text += (bits & 4) === 0 ? '-' : 'r'
    text += (bits & 2) === 0 ? '-' : 'w'
    if (special) text += execute ? letter : letter.toUpperCase()
    else text += execute ? 'x' : '-'
  }
  return text
}

export function ownerText(manifest: SnapshotManifest, entry: TreeEntry): string {
  const user = manifest.users?.[String(entry.uid)] ?? String(entry.uid)
  const group = manifest.groups?.[String(entry.gid)] ?? String(entry.gid)
  return `${user}:${group}`
}

export function modifiedAt(entry: TreeEntry): Date {
  return new Date(entry.mtimeSec * 1000 + Math.floor(entry.mtimeNs / 1e6))
}

/** Shape of an entry in the output of --json. */
export interface EntryJson {
  readonly path: string
  /** Base64, when the path is not UTF-8; `path` has U+FFFD in its place then. */
  readonly pathBytes?: string
  readonly kind: string
  readonly size: number
  /** Octal permissions, as chmod takes them. */
  readonly mode: string
  readonly uid: number
  readonly gid: number
  readonly user: string | null
  readonly group: string | null
  readonly modifiedAt: string
  readonly links: number
  readonly target?: string
  readonly device?: { readonly major: number; readonly minor: number }
}

export function entryJson(path: Buffer, entry: TreeEntry, manifest: SnapshotManifest): EntryJson {
  return {
    ...pathJson(path),
    kind: KINDS[entry.kind][0],
    size: entry.size,
    mode: (entry.mode & 0o7777).toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    user: manifest.users?.[String(entry.uid)] ?? null,
    group: manifest.groups?.[String(entry.gid)] ?? null,
    modifiedAt: modifiedAt(entry).toISOString(),
    links: entry.nlink,
    ...(entry.target !== undefined && { target: entry.target.toString('utf8') }),
    ...(entry.device !== undefined && { device: entry.device }),
  }
}

/** A path that JSON can hold, and the bytes when it cannot. */
export function pathJson(path: Buffer): { path: string; pathBytes?: string } {
  const text = path.toString('utf8')
  const isText = Buffer.from(text, 'utf8').equals(path)
  return { path: text, ...(!isText && { pathBytes: path.toString('base64') }) }
}
