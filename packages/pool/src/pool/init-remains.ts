/**
 * What a pool init leaves when it is killed: the next one clears it away and begins anew. A
 * directory counts as such remains only if nothing can be lost with it: there is no superblock
 * on the first brick, so nobody was told of a pool; there are no packs, so nothing is stored;
 * and every name is one that init makes.
 */
import { isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { loadSuperblock } from '../backend/superblock.ts'
import { LOG_FILE } from '../log/mirrors.ts'

/** Directories of a brick, those below others first, and the files that init puts into each. */
const DIRECTORIES: readonly (readonly [string, (file: string) => boolean])[] = [
  ['packs', () => false],
  ['quarantine', () => false],
  ['index', () => false],
  ['tmp', (file) => file.startsWith('key-slot-')],
  ['keys', (file) => file === 'passphrase.json' || file === 'passphrase.json.copy'],
  ['log/a', (file) => file === LOG_FILE],
  ['log/b', (file) => file === LOG_FILE],
  ['log', (file) => file === LOG_FILE],
]
const SUPERBLOCKS = ['pool.json', 'pool.json.new', 'pool.json.copy', 'pool.json.copy.new']
/** An init that was killed has logged one record of some hundred bytes. */
const LOG_SIZE_MAX = 4096
/** As OwnerLock writes it. */
const LOCK_SIZE = 16

/** True when the brick holds nothing but what an init of these bricks has left there. */
export function isInitRemains(fs: Fs, bricks: readonly string[], index: number): boolean {
  const brick = bricks[index]!
  const names = fs.readDirectory(brick).filter((name) => name !== 'lost+found')
  const folders = DIRECTORIES.map(([name]) => name)
  const isOurName = (name: string): boolean =>
    folders.includes(name) || SUPERBLOCKS.includes(name) || (name === 'lock' && isLock(fs, brick))
  if (!names.every(isOurName)) return false
  if (names.includes('pool.json') && !isLaterBrickOf(fs, bricks, index)) return false
  return DIRECTORIES.every(([name, isOurs]) => {
    const directory = `${brick}/${name}`
    if (fs.stat(directory) === undefined) return true
    return fs.readDirectory(directory).every((entry) => {
      const stat = fs.stat(`${directory}/${entry}`)
      if (stat?.kind === 'directory') return folders.includes(`${name}/${entry}`)
      return isOurs(entry) && (stat?.size ?? 0) <= LOG_SIZE_MAX
    })
  })
}

/** Empty, or with a process id: not somebody else's file of that name. It stays where it is. */
function isLock(fs: Fs, brick: string): boolean {
  const path = `${brick}/lock`
  const stat = fs.stat(path)
  if (stat?.kind !== 'file' || stat.size > LOCK_SIZE) return false
  const file = fs.open(path, 'read')
  try {
    const bytes = Buffer.alloc(stat.size)
    return /^(?: *\d+\n)?$/.test(bytes.toString('latin1', 0, fs.read(file, bytes, 0)))
  } finally {
    fs.close(file)
  }
}

/** The first brick gets its superblock last: without it, those of the others mean nothing. */
function isLaterBrickOf(fs: Fs, bricks: readonly string[], index: number): boolean {
  try {
    const superblock = loadSuperblock(fs, bricks[index]!)
    return (
      index > 0 &&
      superblock.brickIndex === index &&
      fs.stat(`${bricks[0]!}/pool.json`) === undefined &&
      superblock.bricks.every(({ path }, at) => path === bricks[at])
    )
  } catch (error) {
    if (isMaasError(error)) return false // Whatever it is, it is not ours to remove.
    throw error
  }
}

/** Removes the files of such remains; directories stay, for init wants them anyway. */
export function clearInitRemains(fs: Fs, brick: string): void {
  for (const name of SUPERBLOCKS) {
    if (fs.stat(`${brick}/${name}`) !== undefined) fs.unlink(`${brick}/${name}`)
  }
  for (const [name] of DIRECTORIES) {
    const directory = `${brick}/${name}`
    if (fs.stat(directory) === undefined) continue
    for (const entry of fs.readDirectory(directory)) {
      const path = `${directory}/${entry}`
      if (fs.stat(path)?.kind === 'file') fs.unlink(path)
    }
    fs.syncDirectory(directory)
  }
  fs.syncDirectory(brick)
}
