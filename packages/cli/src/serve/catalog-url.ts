/** Where the catalog of a server is. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fsError } from '@openmaas/kernel/fs-errors'
import type { ServerConfig } from './settings.ts'

/** @throws MaasError FS_* when the file that holds the address cannot be read */
export function catalogUrl({ catalogUrlFile, data }: ServerConfig): string {
  if (catalogUrlFile === undefined) return `sqlite:${path.join(data, 'catalog.db')}`
  try {
    return readFileSync(catalogUrlFile, 'utf8').trim()
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fsError(code, 'read', catalogUrlFile, error)
  }
}
