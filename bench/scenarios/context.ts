/** What every scenario is given. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DataSets } from '../data-sets.ts'
import type { OpenMaas } from '../tools/openmaas.ts'
import type { Restic } from '../tools/restic.ts'
import type { Tool } from '../tools/tool.ts'

export interface Context {
  readonly data: DataSets
  /** Repositories and restores stand here: the same for all tools. */
  readonly scratch: string
  readonly openmaas: OpenMaas
  /** All of them, ours first; then the oldest restic, which ratios refer to. */
  readonly tools: readonly Tool[]
  readonly restic: Restic | undefined
  readonly rounds: number
  readonly quick: boolean
}

/** Runs with a directory of its own, which is gone afterwards. */
export async function withScratch<T>(
  context: Context,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(context.scratch, 'openmaas-bench-'))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
