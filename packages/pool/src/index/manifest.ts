/**
 * `index/manifest.json`: which run files make up the index, and which packs they do not cover.
 *
 * The runs cover every pack whose PACK record has a sequence up to `logSequence`, except those in
 * `uncovered`, whose entries were still in memory. `logMac` ties the manifest to one log: pack
 * numbers mean something only there. Anything that does not fit: the index is built anew.
 */
import { createHash } from 'node:crypto'
import type { Fs } from '@openmaas/kernel/fs'
import { isMaasError } from '@openmaas/kernel/errors'
import { MiB } from '@openmaas/kernel/units'
import { canonicalJson } from '../keys/canonical-json.ts'
import type { Json } from '../keys/canonical-json.ts'

/** 4 Mi uncovered packs would fit; real ones have a few kilobytes. */
const MANIFEST_SIZE_MAX = 64 * MiB
const MANIFEST_FILE = 'manifest.json'

export interface IndexManifest {
  readonly format: 1
  readonly poolId: string
  readonly logSequence: number
  /** Mac of the log record with that sequence, 64 hex digits. */
  readonly logMac: string
  /** Numbers of the run files. */
  readonly runs: readonly number[]
  readonly nextRun: number
  /** Runs may name packs up to here that never got into the log; their numbers stay unused. */
  readonly nextPackNo: number
  /** Numbers of packs. */
  readonly uncovered: readonly number[]
}

export function saveManifest(fs: Fs, directory: string, manifest: IndexManifest): void {
  const text = canonicalJson(manifest as unknown as Json)
  const bytes = Buffer.from(`${checksum(text)}\n${text}\n`)
  fs.makeDirectory(directory)
  const temporary = `${directory}/${MANIFEST_FILE}.new`
  if (fs.stat(temporary) !== undefined) fs.unlink(temporary)
  const file = fs.open(temporary, 'create')
  try {
    fs.write(file, bytes, 0)
    fs.dataSync(file)
  } finally {
    fs.close(file)
  }
  fs.rename(temporary, `${directory}/${MANIFEST_FILE}`)
  fs.syncDirectory(directory)
}

/** @returns undefined when there is none, or none that can be believed */
export function loadManifest(fs: Fs, directory: string): IndexManifest | undefined {
  const text = readText(fs, `${directory}/${MANIFEST_FILE}`)
  if (text === undefined) return undefined
  const [sum, body] = text.split('\n')
  if (sum === undefined || body === undefined || checksum(body) !== sum) return undefined
  const manifest = JSON.parse(body) as IndexManifest
  // One of before the member was there would hand out pack numbers a second time.
  const isWhole = manifest.format === 1 && Number.isSafeInteger(manifest.nextPackNo)
  return isWhole ? manifest : undefined
}

/** True when there is a file, whether it can be believed or not. */
export function hasManifest(fs: Fs, directory: string): boolean {
  return fs.stat(`${directory}/${MANIFEST_FILE}`) !== undefined
}

export function removeManifest(fs: Fs, directory: string): void {
  const path = `${directory}/${MANIFEST_FILE}`
  if (fs.stat(path) === undefined) return
  fs.unlink(path)
  fs.syncDirectory(directory)
}

function readText(fs: Fs, path: string): string | undefined {
  try {
    const file = fs.open(path, 'read')
    try {
      const size = fs.size(file)
      if (size > MANIFEST_SIZE_MAX) return undefined
      const bytes = Buffer.alloc(size)
      return bytes.toString('utf8', 0, fs.read(file, bytes, 0))
    } finally {
      fs.close(file)
    }
  } catch (error) {
    // A cache that cannot be read is a cache that is not there.
    if (isMaasError(error, 'FS_NOT_FOUND') || isMaasError(error, 'FS_IO')) return undefined
    throw error
  }
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
