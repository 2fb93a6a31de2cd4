/** What a backup program is to the benchmarks. */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../measure.ts'

/** A directory of files, or a directory that holds a disk image by the name `disk.img`. */
export type SourceKind = 'tree' | 'image'

export interface Tool {
  /** With its version. */
  readonly name: string
  /** Makes an empty repository; not measured. */
  init(repository: string): Promise<void>
  backup(repository: string, source: string, kind: SourceKind): Command
  /** Restores the newest state below `target`, which does not exist yet. */
  restore(repository: string, target: string, kind: SourceKind): Command | undefined
  /** A copy has no second run that would be cheaper than the first. */
  readonly isIncremental: boolean
}

export const IMAGE_NAME = 'disk.img'
/** Every repository of the benchmarks has it. */
export const PASSPHRASE = 'benchmark'

/** Bytes of all files below, as their names say: what a copy elsewhere would take. */
export function storedBytes(directory: string): number {
  let sum = 0
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) sum += lstatSync(join(entry.parentPath, entry.name)).size
  }
  return sum
}
