/** How large a directory is, and the progress of one that a program fills. */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PluginContext } from './plugin.ts'

/** A look at a directory of a hundred thousand files takes some 100 ms: not more often. */
const LOOK_MS = 1000

/** Bytes of its files, allocated or not; a file that goes while we look counts nothing. */
export async function directorySize(path: string): Promise<number> {
  let total = 0
  const names = await readdir(path, { withFileTypes: true }).catch(ignoreGone)
  for (const entry of names ?? []) {
    const below = join(path, entry.name)
    if (entry.isDirectory()) total += await directorySize(below)
    else if (entry.isFile()) total += (await lstat(below).catch(ignoreGone))?.size ?? 0
  }
  return total
}

function ignoreGone(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}

export interface Growth {
  readonly directory: string
  readonly phase: string
  readonly bytesTotal: number | null
}

/** Reports the size of the directory while `work` goes on. */
export async function reportGrowth<T>(
  growth: Growth,
  context: Pick<PluginContext, 'progress'>,
  work: () => Promise<T>,
): Promise<T> {
  const { phase, bytesTotal } = growth
  let looking = false
  const timer = setInterval(() => {
    if (looking) return
    looking = true
    directorySize(growth.directory)
      .then((bytesDone) => context.progress({ phase, bytesDone, bytesTotal }))
      // The work itself meets what is wrong with the directory, and says so.
      .catch(() => {})
      .finally(() => (looking = false))
  }, LOOK_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
