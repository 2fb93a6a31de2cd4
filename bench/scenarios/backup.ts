/**
 * First backup, a later one, restore: of many small files and of one disk image. The tools take
 * turns within a round, each with a fresh repository; a row is the median of the rounds.
 *
 * The source is read once before each backup, so that all tools find it in memory; and as much as
 * it holds is written and removed, so that none pays for memory that the host has to find first.
 */
import { linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { measure, pipeline } from '../measure.ts'
import { formatRows, type Row, say } from '../output.ts'
import { IMAGE_NAME, type SourceKind, storedBytes, type Tool } from '../tools/tool.ts'
import { type Context, withScratch } from './context.ts'

interface Source {
  readonly kind: SourceKind
  readonly path: string
  readonly bytes: number
  readonly files: number
  /** What happens to the source between the first and the second backup. */
  readonly again: string
  begin(): void
  change(): void
  /** One file of the source in its last state, when there is only one. */
  readonly image?: string
}

class Rows {
  readonly rows = new Map<string, Row>()

  row(work: string, tool: Tool, source: Source): Row {
    const key = `${work}/${tool.name}`
    const { bytes, files } = source
    const counted = files > 1 && { files }
    const row = this.rows.get(key) ?? { work, tool: tool.name, costs: [], bytes, ...counted }
    this.rows.set(key, row)
    return row
  }

  /** By work, in the order of the first round. */
  sorted(): Row[] {
    const works = [...new Set([...this.rows.values()].map((row) => row.work))]
    return works.flatMap((work) => [...this.rows.values()].filter((row) => row.work === work))
  }
}

export async function benchFiles(context: Context): Promise<string> {
  const { path, files, bytes } = context.data.tree()
  const none = (): void => undefined
  const source: Source = {
    kind: 'tree',
    path,
    bytes,
    files,
    again: 'nothing changed',
    begin: none,
    change: none,
  }
  return benchSource(context, source, `${files.toLocaleString('en')} files of 4–16 KiB`)
}

export async function benchImage(context: Context): Promise<string> {
  const { before, after, bytes, changedBytes } = context.data.image()
  // Beside the data, not in the scratch: a hard link cannot leave its file system.
  const path = `${before}-source`
  const put = (image: string): void => {
    rmSync(path, { recursive: true, force: true })
    mkdirSync(path)
    linkSync(image, join(path, IMAGE_NAME))
  }
  const source: Source = {
    kind: 'image',
    path,
    bytes,
    files: 1,
    again: '1 % of blocks changed',
    begin: () => put(before),
    change: () => put(after),
    image: after,
  }
  const title = `image of ${bytes / 2 ** 30} GiB`
  const table = await benchSource(context, source, title)
  return `${table}\n\nChanged blocks: ${(changedBytes / 1e6).toFixed(1)} MB.`
}

async function benchSource(context: Context, source: Source, title: string): Promise<string> {
  const rows = new Rows()
  for (let round = 0; round < context.rounds; round += 1) {
    for (const tool of context.tools) {
      say(`${title}, round ${round + 1}, ${tool.name}`)
      await withScratch(context, (directory) => runTool(tool, { source, directory, rows }))
    }
  }
  return `## ${title}\n\n${formatRows(rows.sorted())}`
}

async function runTool(
  tool: Tool,
  run: { readonly source: Source; readonly directory: string; readonly rows: Rows },
): Promise<void> {
  const { source, directory, rows } = run
  const repository = join(directory, 'repository')
  mkdirSync(repository)
  await tool.init(repository)
  source.begin()
  await measure(warm(source.path))
  const backup = async (work: string): Promise<void> => {
    await measure(touch(directory, source.bytes))
    const stored = storedBytes(repository)
    const row = rows.row(work, tool, source)
    row.costs.push(await measure(tool.backup(repository, source.path, source.kind)))
    row.storedBytes = storedBytes(repository) - stored
  }
  await backup('first backup')
  if (tool.isIncremental) {
    source.change()
    await measure(warm(source.path))
    await backup(source.again)
  }
  const target = join(directory, 'target')
  const restore = tool.restore(repository, target, source.kind)
  if (restore === undefined) return
  await measure(touch(directory, source.bytes))
  rows.row('restore', tool, source).costs.push(await measure(restore))
  if (tool.isIncremental) await compare(source, target)
}

/** A restore that is fast and wrong is no restore. */
async function compare(source: Source, target: string): Promise<void> {
  const copy = findCopy(target, source)
  const parameters = source.image === undefined ? ['-r', source.path, copy] : [source.image, copy]
  await measure({ file: 'diff', parameters: ['-q', ...parameters] })
}

/** restic restores below the source's whole path, others into the target itself. */
function findCopy(target: string, source: Source): string {
  const nested = join(target, source.path)
  const root = readdirSync(target).includes(source.path.split('/')[1]!) ? nested : target
  return source.image === undefined ? root : join(root, readdirSync(root)[0]!)
}

function touch(directory: string, bytes: number) {
  const script = 'head -c "$2" /dev/zero > "$1/touched"; rm "$1/touched"'
  return pipeline(script, directory, String(bytes))
}

function warm(path: string) {
  return pipeline('find -L "$1" -type f -print0 | xargs -0 -n 1000 cat > /dev/null', path)
}
