/** Opening the pool that the settings name: for reading without a lock, or as its owner. */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import type { Site } from '../program/site.ts'
import { readPassphrase } from './passphrase.ts'
import type { Point } from './points.ts'

/** @throws MaasError USAGE when nothing names a pool */
export function poolPath(site: Site): string {
  const wish = site.settings.get('pool')
  if (wish === undefined) {
    throw new MaasError('USAGE', 'no pool is named: give --pool, or set OPENMAAS_POOL', {
      option: 'pool',
    })
  }
  return path.resolve(site.directory, wish)
}

/** The path checks come before the passphrase: nobody types it for nothing. */
export function requirePool(site: Site): string {
  const directory = poolPath(site)
  const fs = new NodeFs()
  if (fs.stat(path.join(directory, 'pool.json')) === undefined) {
    const message = `there is no pool at ${directory}`
    throw new MaasError('POOL_NOT_FOUND', message, { path: directory })
  }
  return directory
}

/** For reading: needs no lock, and works while another process writes. */
export async function openReader(site: Site): Promise<PoolReader> {
  const directory = requirePool(site)
  const [passphrase, { PoolReader: Reader }] = await Promise.all([
    readPassphrase(site),
    import('@openmaas/pool/pool/reader'),
  ])
  const fs = new NodeFs()
  return Reader.open({ path: directory, unlock: { passphrase }, fs, clock: site.clock })
}

/** For writing: the only process that may. @throws MaasError POOL_BUSY */
export async function openOwner(site: Site, options: { degraded?: boolean } = {}): Promise<Pool> {
  const directory = requirePool(site)
  const [passphrase, { Pool: Owner }] = await Promise.all([
    readPassphrase(site),
    import('@openmaas/pool/pool/pool'),
  ])
  return Owner.open({
    path: directory,
    unlock: { passphrase },
    fs: new NodeFs(),
    clock: site.clock,
    random: systemRandom,
    pid: process.pid,
    degraded: options.degraded === true,
  })
}

/** All points with what they say of themselves, newest first. */
export function listPoints(reader: Pick<PoolReader, 'snapshots' | 'manifest'>): Point[] {
  return reader
    .snapshots()
    .map((row) => ({ row, manifest: reader.manifest(row) }))
    .toSorted((a, b) => b.row.seq - a.row.seq)
}
