/** A directory line by line, by Node's own calls: what a restore has to bring back. */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

export function describeTree(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).toSorted().map((name) => {
    const path = `${directory}/${name}`
    const { mode, uid, gid, mtimeMs, nlink, size } = lstatSync(path)
    const facts = [name, mode.toString(8), uid, gid, mtimeMs, nlink]
    if ((mode & 0o170000) === 0o100000) {
      facts.push(size, createHash('sha1').update(readFileSync(path)).digest('hex'))
    }
    if ((mode & 0o170000) === 0o120000) facts.push(readlinkSync(path))
    return facts.join(' ')
  })
}
