/**
 * Peak memory of a first and an unchanged backup from 10,000 files to 1,000,000: it must not
 * grow with them. The files hold a few bytes each, so that a tmpfs takes them all.
 */
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GiB } from '@openmaas/kernel/units'
import { measure } from '../measure.ts'
import { formatTable, say } from '../output.ts'
import { storedBytes } from '../tools/tool.ts'
import { type Context, withScratch } from './context.ts'

const COUNTS = [10_000, 100_000, 1_000_000]
const QUICK_COUNTS = [1000, 10_000]
/** A page and an inode each on tmpfs, rounded up; and the repository. */
const BYTES_PER_FILE = 6000
const FILES_PER_DIRECTORY = 250

export async function benchMemory(context: Context): Promise<string> {
  const rows: string[][] = []
  for (const count of context.quick ? QUICK_COUNTS : COUNTS) {
    const { bavail, bsize } = statfsSync(context.scratch)
    if (bavail * bsize < count * BYTES_PER_FILE + GiB) {
      rows.push([count.toLocaleString('en'), 'skipped: no room in the scratch directory'])
      continue
    }
    say(`memory, ${count} files`)
    rows.push(await withScratch(context, (directory) => measureCount(context, directory, count)))
  }
  const header = [
    'files',
    'first: peak MB',
    'wall s',
    'files/s',
    'unchanged: peak MB',
    'wall s',
    'files/s',
    'pool MB',
  ]
  return `## Memory by number of files\n\n${formatTable(header, rows)}`
}

async function measureCount(context: Context, directory: string, count: number) {
  const { openmaas } = context
  const source = join(directory, 'source')
  makeFiles(source, count)
  const repository = join(directory, 'repository')
  await openmaas.init(repository)
  const cells = [count.toLocaleString('en')]
  for (let run = 0; run < 2; run += 1) {
    const { peakBytes, wallMs } = await measure(openmaas.backup(repository, source, 'tree'))
    cells.push(
      String(Math.round(peakBytes / 1e6)),
      (wallMs / 1000).toFixed(1),
      Math.round((count * 1000) / wallMs).toLocaleString('en'),
    )
  }
  cells.push((storedBytes(repository) / 1e6).toFixed(0))
  return cells
}

function makeFiles(root: string, count: number): void {
  let directory = root
  for (let i = 0; i < count; i += 1) {
    if (i % FILES_PER_DIRECTORY === 0) {
      const number = i / FILES_PER_DIRECTORY
      directory = join(root, `a${Math.floor(number / FILES_PER_DIRECTORY)}`, `b${number}`)
      mkdirSync(directory, { recursive: true })
    }
    writeFileSync(join(directory, `file-${i}`), `content of file ${i}\n`)
  }
}
