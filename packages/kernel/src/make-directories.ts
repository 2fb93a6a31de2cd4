/**
 * Making a directory with its parents. Not `mkdirSync(…, { recursive: true })`: that one tries for
 * ever where a file system answers ENOENT although the parent is there, as /proc does.
 */
import fs from 'node:fs'
import path from 'node:path'

/**
 * @returns the first directory that was made; undefined when all of it was there
 * @throws the error of node:fs, with its `code`
 */
export function makeDirectories(target: string, mode = 0o777): string | undefined {
  try {
    fs.mkdirSync(target, { mode })
    return target
  } catch (error) {
    if (isDirectory(target)) return undefined
    const parent = path.dirname(target)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === target) throw error
    const first = makeDirectories(parent, mode)
    try {
      // Rule: once more and not again, whatever it says.
      fs.mkdirSync(target, { mode })
    } catch (second) {
      // Another process may have made it since.
      if (!isDirectory(target)) throw second
    }
    return first ?? target
  }
}

/** A link to a directory is one, too. */
function isDirectory(target: string): boolean {
  try {
    return fs.statSync(target).isDirectory()
  } catch {
    return false // The error of mkdir says why.
  }
}
