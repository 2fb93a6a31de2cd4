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
    const message = 'no pool is named: give --pool, or set OPENMAAS_POOL'
    const context = site.settings.get('context')
    // Whoever has just logged in means the pools of the server, which other commands show.
    const more = context === undefined ? '' : `; "openmaas pool list" shows those of ${context}`
    throw new MaasError('USAGE', message + more, { option: 'pool' })
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

/** Loads code that a command needs later, while the passphrase is stretched. */
type Preload = () => Promise<unknown>

/**
 * The master key and a module that works with it; the key is made while the code is loaded.
 *
 * @throws MaasError POOL_NOT_FOUND, POOL_PASSPHRASE_WRONG, POOL_PASSPHRASE_MISSING…
 */
async function unlock<T>(
  site: Site,
  directory: string,
  load: () => Promise<T>,
  preload?: Preload,
): Promise<{ fs: NodeFs; masterKey: Buffer; module: T }> {
  const fs = new NodeFs()
  const passphrase = await readPassphrase(site)
  const { unlockPool } = await import('@openmaas/pool/pool/unlock')
  const [masterKey, module] = await Promise.all([
    unlockPool(fs, directory, passphrase),
    load(),
    preload?.(),
  ])
  return { fs, masterKey, module }
}

/** For reading: needs no lock, and works while another process writes. */
export async function openReader(site: Site, preload?: Preload): Promise<PoolReader> {
  const path = requirePool(site)
  const load = () => import('@openmaas/pool/pool/reader')
  const { fs, masterKey, module } = await unlock(site, path, load, preload)
  return module.PoolReader.open({ path, unlock: { masterKey }, fs, clock: site.clock })
}

/** For writing: the only process that may. @throws MaasError POOL_BUSY */
export async function openOwner(
  site: Site,
  options: { degraded?: boolean; preload?: Preload } = {},
): Promise<Pool> {
  const path = requirePool(site)
  const load = () => import('@openmaas/pool/pool/pool')
  const { fs, masterKey, module } = await unlock(site, path, load, options.preload)
  return module.Pool.open({
    path,
    unlock: { masterKey },
    fs,
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
