/**
 * What a directory holds and what a point holds, as one line for each entry: two ways to the same
 * lines, the first by plain reading, the second by the pool's own reader.
 */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@openmaas/kernel/clock'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { PoolReader } from '@openmaas/pool/pool/reader'
import { readContent } from '@openmaas/pool/tree/content'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const octal = (mode: number): string => mode.toString(8)

/** Relative path, mode, owner, time, and the content's hash or the link's target. */
export function directoryContents(directory: string): string {
  const lines: string[] = []
  const visit = (path: string): void => {
    const full = join(directory, path)
    const stat = lstatSync(full, { bigint: true })
    const time = `${stat.mtimeNs / 1_000_000_000n}.${stat.mtimeNs % 1_000_000_000n}`
    const content = stat.isFile()
      ? sha256(readFileSync(full))
      : stat.isSymbolicLink()
        ? readlinkSync(full)
        : ''
    lines.push(`${path} ${octal(Number(stat.mode))} ${stat.uid}:${stat.gid} ${time} ${content}`)
    if (stat.isDirectory()) for (const name of readdirSync(full)) visit(join(path, name))
  }
  visit('')
  return lines.toSorted().join('\n')
}

/**
 * Every point of a pool, newest first, with its contents.
 *
 * @throws MaasError what reading throws: then no point is believed
 */
export async function storedPoints(pool: string, passphrase: string): Promise<StoredPoint[]> {
  const unlock = { passphrase }
  const reader = await PoolReader.open({ path: pool, unlock, fs: new NodeFs(), clock: systemClock })
  try {
    return pointsOf(reader)
  } finally {
    reader.close()
  }
}

/** The same of a pool that is open. @throws MaasError as storedPoints */
export function pointsOf(pool: Pick<PoolReader, 'snapshots' | 'chunks'>): StoredPoint[] {
  const rows = pool.snapshots().toSorted((a, b) => b.seq - a.seq)
  return rows.map(({ id, root }) => {
    return { id, contents: treeContents(new TreeReader(pool.chunks, Buffer.from(root, 'hex'))) }
  })
}

export interface StoredPoint {
  readonly id: string
  readonly contents: string
}

function treeContents(tree: TreeReader): string {
  const lines: string[] = []
  for (const { path, entry } of tree.walk()) {
    const inode = tree.resolve(entry)
    const { mode, uid, gid, mtimeSec, mtimeNs } = inode
    const content = contentOf(tree, inode)
    const name = path.toString('utf8')
    lines.push(`${name} ${octal(mode)} ${uid}:${gid} ${mtimeSec}.${mtimeNs} ${content}`)
  }
  return lines.toSorted().join('\n')
}

function contentOf(tree: TreeReader, entry: TreeEntry): string {
  if (entry.target !== undefined) return entry.target.toString('utf8')
  if (entry.kind !== ENTRY_KIND.file) return ''
  const bytes = Buffer.alloc(entry.size)
  const filled = readContent(tree.source, entry, 0, bytes)
  return sha256(bytes.subarray(0, filled))
}
