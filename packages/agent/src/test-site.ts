/** For the tests of capture and restore: a pool in memory, and a tree described line by line. */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { systemClock } from '@openmaas/kernel/clock'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { cString } from '@openmaas/kernel/posix/library'
import { readXattrs } from '@openmaas/kernel/posix/xattr'
import { systemRandom } from '@openmaas/kernel/random'
import { Pool } from '@openmaas/pool/pool/pool'
import { PoolReader } from '@openmaas/pool/pool/reader'

const deps = { fs: new NodeFs(), clock: systemClock, random: systemRandom }

export async function makePool(path: string): Promise<Pool> {
  const options = { bricks: [path], redundancy: 'single' as const, passphrase: 'p', ...deps }
  const { masterKey } = await Pool.create(options)
  return Pool.open({ path, unlock: { masterKey }, tuning: { reserveBytes: 0 }, ...deps })
}

export async function openReader(pool: Pool): Promise<PoolReader> {
  const [path] = pool.status().bricks
  return PoolReader.open({ path: path!, unlock: { masterKey: pool.masterKey }, ...deps })
}

/**
 * Everything that a restore has to bring back, one line per name, by Node's own calls: the oracle.
 * Names of one file carry the same number.
 */
export function describeTree(directory: string): string[] {
  const lines: string[] = []
  const links = new Map<bigint, number>()
  const visit = (path: Buffer, shown: string): void => {
    const stat = lstatSync(path, { bigint: true })
    const facts = [shown, stat.mode.toString(8), `${stat.uid}:${stat.gid}`, String(stat.mtimeNs)]
    if (stat.isFile()) {
      const bytes = stat.size < 2n ** 28n ? readFileSync(path) : Buffer.alloc(0)
      facts.push(`${stat.size}`, createHash('sha1').update(bytes).digest('hex'))
    }
    if (stat.isSymbolicLink())
      facts.push(readlinkSync(path, { encoding: 'buffer' }).toString('hex'))
    if (stat.isBlockDevice() || stat.isCharacterDevice()) facts.push(`device ${stat.rdev}`)
    if (!stat.isDirectory() && stat.nlink > 1n) {
      if (!links.has(stat.ino)) links.set(stat.ino, links.size)
      facts.push(`link ${links.get(stat.ino)} of ${stat.nlink}`)
    }
    const xattrs = readXattrs(cString(path))
    if (typeof xattrs === 'number') throw new Error(`xattrs of ${shown}: ${xattrs}`)
    for (const [name, value] of xattrs) facts.push(`${name}=${value.toString('hex')}`)
    lines.push(facts.join(' | '))
    if (!stat.isDirectory()) return
    const names = readdirSync(path, { encoding: 'buffer' }).toSorted((a, b) => Buffer.compare(a, b))
    for (const name of names) {
      visit(Buffer.concat([path, Buffer.from('/'), name]), `${shown}/${name.toString('latin1')}`)
    }
  }
  visit(Buffer.from(directory), '')
  return lines
}
