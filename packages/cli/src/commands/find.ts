/**
 * `openmaas find <pattern>`: which points have a file, newest first.
 *
 * The newest point of each source is walked whole; of an older one only what differs from the
 * next newer one is looked at, since equal subtrees have equal ids. So a long history costs what
 * has changed in it. With --all every point is walked.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { diffTrees } from '@openmaas/pool/tree/diff'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import type { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { entryJson, modifiedAt } from '../format/entry.ts'
import { compileGlob } from '../format/glob.ts'
import { formatLocal } from '../format/time.ts'
import { listPoints, openReader } from '../pool/open.ts'
import { type Point, resolvePoint, shortIds } from '../pool/points.ts'
import { openTree } from '../pool/tree.ts'
import type { Input } from '../program/input.ts'
import { paced } from '../program/paced.ts'
import type { Site } from '../program/site.ts'

interface Hit {
  readonly point: Point
  readonly path: Buffer
  readonly entry: TreeEntry
}

export async function run(input: Input, site: Site): Promise<void> {
  const pattern = input.positionals[0]!.replace(/^\//, '')
  const matches = compileGlob(pattern)
  if (matches === undefined) throw new MaasError('USAGE', `"${pattern}" is not a pattern`)
  const reader = await openReader(site)
  const all = listPoints(reader)
  const points = choosePoints(all, input, site)
  const history = new History(pattern.includes('/'), matches, (point) =>
    openTree(reader.chunks, point),
  )
  const hits = history.search(points, input.has('all'))
  const { out, signal } = site
  if (out.json) {
    await out.values(
      paced(hits, signal, ({ point, path, entry }) => ({
        point: point.row.id,
        createdAt: point.row.createdAt.toISOString(),
        name: point.manifest.source.name,
        ...entryJson(path, entry, point.manifest),
      })),
    )
    return
  }
  const short = shortIds(all.map((point) => point.row.id))
  let count = 0
  for await (const line of paced(hits, signal, (hit) => describe(hit, short, site))) {
    out.line(line)
    count += 1
  }
  if (count === 0) out.note(site.text('find.none', { points: points.length }))
}

/** Tree points that are asked for, newest first. */
function choosePoints(all: readonly Point[], input: Input, { clock }: Site): readonly Point[] {
  const wanted = input.text('point')
  if (wanted !== undefined) return [resolvePoint(all, wanted, clock.wallMs())]
  const name = input.text('name')
  return all.filter(
    ({ row, manifest }) =>
      row.kind === 'tree' && (name === undefined || manifest.source.name === name),
  )
}

function describe({ point, path, entry }: Hit, short: (id: string) => string, site: Site): Buffer {
  const { out } = site
  const { id, createdAt } = point.row
  if (!out.isTerminal) return Buffer.concat([Buffer.from(`${id}\t`), path])
  const size = formatBytes(entry.size).padStart(8)
  const fields = [short(id), formatLocal(createdAt), size, formatLocal(modifiedAt(entry)), '']
  return Buffer.concat([Buffer.from(fields.join('  ')), out.path(path)])
}

class History {
  readonly #isPath: boolean
  readonly #pattern: RegExp
  readonly #open: (point: Point) => TreeReader

  constructor(isPath: boolean, pattern: RegExp, open: (point: Point) => TreeReader) {
    this.#isPath = isPath
    this.#pattern = pattern
    this.#open = open
  }

  *search(points: readonly Point[], isAll: boolean): Generator<Hit> {
    /** The tree of the point of the same source that was looked at last. */
    const newer = new Map<string, TreeReader>()
    for (const point of points) {
      const { name, host, path } = point.manifest.source
      const key = JSON.stringify([name, host, path])
      const tree = this.#open(point)
      const previous = newer.get(key)
      if (isAll || previous === undefined) yield* this.#walk(point, tree)
      else yield* this.#changes(point, previous, tree)
      newer.set(key, tree)
    }
  }

  *#walk(point: Point, tree: TreeReader): Generator<Hit> {
    for (const { path, entry } of tree.walk()) {
      if (this.#matches(path)) yield { point, path, entry: tree.resolve(entry) }
    }
  }

  *#changes(point: Point, newer: TreeReader, tree: TreeReader): Generator<Hit> {
    for (const { path, change, after } of diffTrees(newer, tree)) {
      if (after === undefined || change === 'metadata' || !this.#matches(path)) continue
      yield { point, path, entry: tree.resolve(after) }
    }
  }

  #matches(path: Buffer): boolean {
    if (path.length === 0) return false
    const text = path.toString('utf8')
    return this.#pattern.test(this.#isPath ? text : text.slice(text.lastIndexOf('/') + 1))
  }
}
