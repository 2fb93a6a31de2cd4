/**
 * Tests that need something of the machine. Where it is missing they are reported as skipped,
 * with the reason as the title; they never pass unseen.
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { describe, test } from 'vitest'

export interface Needs {
  /** Programs in PATH (or /usr/sbin and /sbin, which users often lack there). */
  readonly programs?: readonly string[]
  /** Files and devices that exist. */
  readonly paths?: readonly string[]
  readonly root?: boolean
  readonly linux?: boolean
}

/** Full path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  for (const folder of [...folders, '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return undefined
}

/** What is missing, in the order asked. */
export function missing(needs: Needs): string[] {
  const result: string[] = []
  if (needs.linux === true && process.platform !== 'linux') result.push('Linux')
  if (needs.root === true && process.getuid?.() !== 0) result.push('root')
  for (const path of needs.paths ?? []) if (!existsSync(path)) result.push(path)
  for (const name of needs.programs ?? []) if (findProgram(name) === undefined) result.push(name)
  return result
}

/**
 * Declares the tests of `body` when everything is there, else one that reads
 * `skipped: fio missing`.
 *
 * @param needs programs as a list, or more in an object
 */
export function requires(needs: Needs | readonly string[], body: () => void): void {
  const absent = missing('length' in needs ? { programs: needs } : needs)
  if (absent.length === 0) {
    body()
    return
  }
  const title = `skipped: ${absent.join(', ')} missing`
  describe.skip(title, () => {
    test(title, () => {})
  })
}
