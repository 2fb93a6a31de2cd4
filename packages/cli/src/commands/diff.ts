/** `openmaas diff <point> <point> [path]`: what changed from the first to the second. */
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import { diffTrees, type TreeChange } from '@openmaas/pool/tree/diff'
import { splitPath, type TreeReader } from '@openmaas/pool/tree/tree-reader'
import { changedFields } from '../format/changed-fields.ts'
import { entryJson } from '../format/entry.ts'
import { pathJson } from '../format/entry.ts'
import { listPoints, openReader } from '../pool/open.ts'
import { type Point, resolvePoint } from '../pool/points.ts'
import { openTree } from '../pool/tree.ts'
import type { Input } from '../program/input.ts'
import { paced } from '../program/paced.ts'
import type { Site } from '../program/site.ts'

const LETTERS = { added: 'A', removed: 'D', modified: 'M', metadata: 'T' } as const

export async function run(input: Input, site: Site): Promise<void> {
  const reader = await openReader(site)
  const points = listPoints(reader)
  const now = site.clock.wallMs()
  const [from, to] = input.positionals.slice(0, 2).map((text) => resolvePoint(points, text, now))
  if (from!.row.kind === 'volume' && to!.row.kind === 'volume') {
    await diffVolumePoints(reader, from!, to!, site)
    return
  }
  const before = openTree(reader.chunks, from!)
  const after = openTree(reader.chunks, to!)
  const changes = below(diffTrees(before, after), before, after, input.positionals[2])
  const { out, signal } = site
  if (out.json) {
    await out.values(
      paced(changes, signal, (change) => ({
        change: LETTERS[change.change],
        ...pathJson(change.path),
        what: changedFields(change, before, after),
        before: describe(change, before, from!, 'before'),
        after: describe(change, after, to!, 'after'),
      })),
    )
    return
  }
  let count = 0
  const lines = paced(changes, signal, (change) => changeLine(change, before, after, site))
  for await (const line of lines) {
    out.line(line)
    count += 1
  }
  if (count === 0) out.note(site.text('diff.none'))
}

function describe(
  change: TreeChange,
  tree: TreeReader,
  point: Point,
  side: 'before' | 'after',
): unknown {
  const entry = change[side]
  return entry === undefined ? null : entryJson(change.path, tree.resolve(entry), point.manifest)
}

/** Only changes at the path or below it. @throws MaasError RESTORE_NOT_IN_POINT */
function* below(
  changes: Iterable<TreeChange>,
  before: TreeReader,
  after: TreeReader,
  where: string | undefined,
): Generator<TreeChange> {
  if (where === undefined) {
    yield* changes
    return
  }
  const wanted = splitPath(Buffer.from(where))
  const path = Buffer.from(wanted.map((name) => name.toString('latin1')).join('/'), 'latin1')
  if (before.lookup(path) === undefined && after.lookup(path) === undefined) {
    throw new MaasError('RESTORE_NOT_IN_POINT', `"${where}" is in neither point`, { path: where })
  }
  for (const change of changes) {
    const isPrefix = change.path.subarray(0, path.length).equals(path)
    const isBelow = path.length === 0 || change.path[path.length] === 0x2f
    if (isPrefix && (isBelow || change.path.length === path.length)) yield change
  }
}

const COLORS = { A: 'green', D: 'red', M: 'yellow', T: 'dim' } as const

function changeLine(
  change: TreeChange,
  before: TreeReader,
  after: TreeReader,
  { out }: Site,
): Buffer {
  const letter = LETTERS[change.change]
  const path = change.path.length === 0 ? Buffer.from('.') : out.path(change.path)
  if (!out.isTerminal) return Buffer.concat([Buffer.from(`${letter}\t`), path])
  const what = changedFields(change, before, after)
  const tail = what.length === 0 ? '' : out.paint('dim', `  (${what.join(', ')})`)
  return Buffer.concat([
    Buffer.from(`${out.paint(COLORS[letter], letter)} `),
    path,
    Buffer.from(tail),
  ])
}

async function diffVolumePoints(
  reader: PoolReader,
  from: Point,
  to: Point,
  { out, signal, text }: Site,
): Promise<void> {
  const { diffVolumes } = await import('@openmaas/pool/volume/diff')
  const { readVolumeRoot } = await import('@openmaas/pool/volume/root')
  const [a, b] = [from, to].map((point) => Buffer.from(point.row.root, 'hex')) as [Buffer, Buffer]
  const [one, two] = [a, b].map((root) => readVolumeRoot(reader.chunks, root))
  if (one!.size !== two!.size || one!.grainSize !== two!.grainSize) {
    throw new MaasError('USAGE', 'the volumes differ in size and cannot be compared', {
      before: one!.size,
      after: two!.size,
    })
  }
  const ranges = diffVolumes(reader.chunks, a, b)
  if (out.json) {
    await out.values(paced(ranges, signal, (range) => range))
    return
  }
  let total = 0
  for await (const { offset, length } of paced(ranges, signal, (range) => range)) {
    out.line(out.isTerminal ? `${offset}  ${formatBytes(length)}` : `${offset}\t${length}`)
    total += length
  }
  out.say(text('diff.volume', { size: formatBytes(total) }))
}
