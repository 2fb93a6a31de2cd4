/** Where PostgreSQL's programs are: Debian keeps a folder per major version out of PATH. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'

/** Major version → folder of its programs; wins over what is found. */
export type ProgramFolders = Readonly<Record<number, string>>

/** Debian and Ubuntu; Red Hat and PGDG. `%` is the major version. */
const PLACES = ['/usr/lib/postgresql/%/bin', '/usr/pgsql-%/bin', '/usr/local/pgsql-%/bin']
/** pg_basebackup of older versions cannot do what seed asks of it; newer ones are not out. */
export const MAJOR_MIN = 13
const MAJOR_LIMIT = 40

const SETTING = /^OPENMAAS_POSTGRES_BIN_(\d{2})$/

/** The settings OPENMAAS_POSTGRES_BIN_15=/path, for the one who reads the environment. */
export function programFolders(env: Readonly<Record<string, string | undefined>>): ProgramFolders {
  const folders: Record<number, string> = {}
  for (const [name, value] of Object.entries(env)) {
    const major = SETTING.exec(name)?.[1]
    if (major !== undefined && value !== undefined && value !== '') folders[Number(major)] = value
  }
  return folders
}

/** Folders that hold a server, by major version. */
export function listPrograms(configured: ProgramFolders): Map<number, string> {
  const found = new Map<number, string>()
  for (let major = MAJOR_MIN; major < MAJOR_LIMIT; major += 1) {
    const places = PLACES.map((place) => place.replace('%', String(major)))
    const folder = [configured[major], ...places].find(
      (path) => path !== undefined && existsSync(join(path, 'postgres')),
    )
    if (folder !== undefined) found.set(major, folder)
  }
  return found
}

export class Programs {
  readonly major: number
  readonly folder: string

  /** @throws MaasError DATABASE_VERSION_UNSUPPORTED naming what to install */
  constructor(major: number, configured: ProgramFolders) {
    const folder = listPrograms(configured).get(major)
    if (folder === undefined) {
      const message =
        `this host has no programs of PostgreSQL ${major}; ` +
        `install the package postgresql-${major}, or set OPENMAAS_POSTGRES_BIN_${major}`
      throw new MaasError('DATABASE_VERSION_UNSUPPORTED', message, { major })
    }
    this.major = major
    this.folder = folder
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  has(name: string): boolean {
    return readdirSync(this.folder).includes(name)
  }
}
