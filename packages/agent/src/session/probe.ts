/** Looks at files that may not be there: what cannot be seen is empty, for discovery only. */
import { readdir, readFile, stat } from 'node:fs/promises'

/** Sorted; empty when there is no such directory. */
export async function listNames(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch {
    return []
  }
}

/** The first line, trimmed; empty when there is none. */
export async function readLine(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).split('\n')[0]!.trim()
  } catch {
    return ''
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
