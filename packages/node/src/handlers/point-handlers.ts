/** Orders that look into one recovery point: names, search, pieces of files. */
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import { iterateContent } from '@openmaas/pool/tree/content'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import type { OrderHandlers, Result } from '@openmaas/protocols/channel/orders'
import type { Node } from '../node.ts'
import { requireSnapshot } from '../node.ts'
import type { OpenPool } from '../open-pool.ts'

type EntryRow = Result<'point.list'>['entries'][number]

/** Entries looked at before other orders get their turn: a millisecond. */
const ENTRIES_PER_TURN = 2000

export function makePointHandlers(
  node: Node,
): Required<Pick<OrderHandlers, 'point.list' | 'point.find' | 'point.read'>> {
  return {
    'point.list': async (params) => {
      const point = openPoint(await node.pool(params.poolId), params.snapshotId)
      const directory = requireEntry(point, params.path)
      if (directory.kind !== ENTRY_KIND.directory) throw notIn(params.path)
      const after = params.after === null ? undefined : Buffer.from(params.after)
      const entries: EntryRow[] = []
      for (const entry of point.tree.list(directory, after)) {
        if (entries.length === params.limit) return { entries, more: true }
        entries.push(describeEntry(point, entry))
      }
      return { entries, more: false }
    },
    'point.find': async ({ poolId, snapshotIds, pattern, limit }, { signal }) => {
      const pool = await node.pool(poolId)
      const matches = compilePattern(pattern)
      const found: Result<'point.find'>['found'] = []
      for (const snapshotId of snapshotIds) {
        const point = openPoint(pool, snapshotId)
        let count = 0
        for (const { path: at, entry } of point.tree.walk()) {
          count += 1
          if (count % ENTRIES_PER_TURN === 0) {
            await nextTurn()
            signal.throwIfAborted()
          }
          if (at.length === 0 || !matches(at.toString())) continue
          if (found.length === limit) return { found, more: true }
          found.push({ snapshotId, path: at.toString(), entry: describeEntry(point, entry) })
        }
      }
      return { found, more: false }
    },
    'point.read': async ({ poolId, snapshotId, path: at, offset, length }) => {
      const point = openPoint(await node.pool(poolId), snapshotId)
      const entry = point.tree.resolve(requireEntry(point, at))
      if (entry.kind !== ENTRY_KIND.file) throw notIn(at)
      const end = Math.min(entry.size, offset + length)
      const data = Buffer.alloc(Math.max(0, end - offset))
      for (const extent of iterateContent(point.tree.source, entry, offset)) {
        if (extent.offset >= end) break
        if (extent.id === undefined) continue
        const from = Math.max(0, offset - extent.offset)
        const to = Math.min(extent.length, end - extent.offset)
        point.tree.source.read(extent.id).copy(data, extent.offset + from - offset, from, to)
      }
      return { data: data.toString('base64'), size: entry.size }
    },
  }
}

interface Point {
  readonly tree: TreeReader
  readonly users: Readonly<Record<string, string>>
}

/** @throws MaasError SNAPSHOT_NOT_FOUND, POINT_HAS_NO_FILES */
function openPoint(pool: OpenPool, snapshotId: string): Point {
  const { row, manifest } = requireSnapshot(pool, snapshotId)
  if (row.kind !== 'tree') {
    throw new MaasError('POINT_HAS_NO_FILES', 'the point is a volume', { snapshot: snapshotId })
  }
  const tree = new TreeReader(pool.pool.chunks, Buffer.from(row.root, 'hex'))
  return { tree, users: manifest?.users ?? {} }
}

function requireEntry({ tree }: Point, at: string): TreeEntry {
  const entry = tree.lookup(Buffer.from(at))
  if (entry === undefined) throw notIn(at)
  return entry
}

function notIn(at: string): MaasError {
  return new MaasError('RESTORE_NOT_IN_POINT', `${at} is not in the point`, { path: at })
}

const KINDS: Partial<Record<TreeEntry['kind'], EntryRow['kind']>> = {
  [ENTRY_KIND.file]: 'file',
  [ENTRY_KIND.directory]: 'directory',
  [ENTRY_KIND.symlink]: 'symlink',
}

function describeEntry({ tree, users }: Point, named: TreeEntry): EntryRow {
  const entry = tree.resolve(named)
  const { mtimeSec, mtimeNs, mode, uid } = entry
  const kind = KINDS[entry.kind] ?? 'other'
  return {
    name: named.name.toString(),
    kind,
    size: kind === 'file' ? entry.size : 0,
    mtimeMs: mtimeSec * 1000 + mtimeNs / 1e6,
    mode,
    owner: users[uid] ?? String(uid),
    ...(entry.target !== undefined && { target: entry.target.toString() }),
  }
}

/**
 * With `*`, `?` or `[`: a glob, over the whole path when there is a "/" in it, else over names.
 * Without: a part of the name, in any case.
 */
function compilePattern(pattern: string): (at: string) => boolean {
  const plain = pattern.replace(/^\//, '')
  const nameOf = (at: string): string => at.slice(at.lastIndexOf('/') + 1)
  if (!/[*?[]/.test(plain)) {
    const part = plain.toLowerCase()
    return (at) => (part.includes('/') ? at : nameOf(at)).toLowerCase().includes(part)
  }
  if (plain.includes('/')) return (at) => path.posix.matchesGlob(at, plain)
  return (at) => path.posix.matchesGlob(nameOf(at), plain)
}
