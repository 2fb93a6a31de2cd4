/** `openmaas ls <point> [path]` */
import { formatBytes } from '@openmaas/kernel/units'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { joinPath, type TreeReader } from '@openmaas/pool/tree/tree-reader'
import { entryJson, modeText, modifiedAt, ownerText } from '../format/entry.ts'
import { formatLocal } from '../format/time.ts'
import { padStart } from '../format/width.ts'
import { listPoints, openReader } from '../pool/open.ts'
import { type Point, resolvePoint } from '../pool/points.ts'
import { findPath, openTree } from '../pool/tree.ts'
import type { Input } from '../program/input.ts'
import { paced } from '../program/paced.ts'
import type { Site } from '../program/site.ts'

/** Room for `1023 KiB`; names then stand in one column without knowing all of them first. */
const SIZE_WIDTH = 8
/** Room for names of usual length. */
const OWNER_WIDTH = 16

interface Listed {
  readonly path: Buffer
  readonly entry: TreeEntry
}

export async function run(input: Input, site: Site): Promise<void> {
  const reader = await openReader(site)
  const [wanted, where = ''] = input.positionals
  const point = resolvePoint(listPoints(reader), wanted!, site.clock.wallMs())
  const tree = openTree(reader.chunks, point)
  const entries = list(tree, point, where, input.has('recursive'))
  const { out, signal } = site
  if (out.json) {
    await out.values(
      paced(entries, signal, ({ path, entry }) =>
        entryJson(path, tree.resolve(entry), point.manifest),
      ),
    )
    return
  }
  const long = input.has('long')
  const lines = paced(entries, signal, (listed) =>
    long ? longLine(tree, point, listed, site) : out.path(listed.path),
  )
  for await (const line of lines) out.line(line)
}

/** What is in a directory, or the file itself. Paths are from the root of the point. */
function* list(
  tree: TreeReader,
  point: Point,
  where: string,
  isRecursive: boolean,
): Generator<Listed> {
  const start = findPath(tree, point, where)
  if (start.entry.directory === undefined) {
    yield start
  } else if (isRecursive) {
    for (const walked of tree.walk(start.entry, start.path)) {
      if (walked.entry !== start.entry) yield walked
    }
  } else {
    for (const entry of tree.list(start.entry)) {
      yield { path: joinPath(start.path, entry.name), entry }
    }
  }
}

function longLine(tree: TreeReader, point: Point, { path, entry }: Listed, { out }: Site): Buffer {
  const resolved = tree.resolve(entry)
  const { device } = resolved
  const size =
    device === undefined
      ? sizeText(resolved.size, out.isTerminal)
      : `${device.major},${device.minor}`
  const fields = [
    modeText(resolved.kind, resolved.mode),
    String(resolved.nlink).padStart(3),
    ownerText(point.manifest, resolved).padEnd(OWNER_WIDTH),
    padStart(size, SIZE_WIDTH),
    formatLocal(modifiedAt(resolved)),
    '',
  ]
  const parts = [Buffer.from(fields.join(' ')), out.path(path)]
  if (resolved.target !== undefined) parts.push(Buffer.from(' -> '), out.path(resolved.target))
  return Buffer.concat(parts)
}

function sizeText(size: number, isTerminal: boolean): string {
  return isTerminal ? formatBytes(size) : String(size)
}
