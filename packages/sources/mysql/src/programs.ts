/** Where the programs of a product are on this host. */
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { MaasError } from '@openmaas/kernel/errors'
import { runProgram } from '@openmaas/source-kit/run-program'
import { parseVersion, productTitle } from './version.ts'
import type { Product, ServerVersion } from './version.ts'

export interface Programs {
  readonly version: ServerVersion
  readonly server: string
  readonly client: string
  readonly binlog: string
  /** mariadb-backup; MySQL clones through the server. */
  readonly backup: string | null
}

const NAMES: Readonly<Record<Product, Record<'server' | 'client' | 'binlog', readonly string[]>>> =
  {
    mariadb: {
      server: ['mariadbd', 'mysqld'],
      client: ['mariadb', 'mysql'],
      binlog: ['mariadb-binlog', 'mysqlbinlog'],
    },
    mysql: { server: ['mysqld'], client: ['mysql'], binlog: ['mysqlbinlog'] },
  }

const SYSTEM_DIRECTORIES = [
  '/usr/sbin',
  '/usr/bin',
  '/usr/libexec',
  '/usr/local/mysql/bin',
  '/opt/mysql/bin',
]
/** A program that only prints its version; a cold disk is slow. */
const VERSION_MS = 60_000

/** By path and time of change: an upgrade of the package is another program. */
const known = new Map<string, Programs>()

/** Every server program of this host, of both products. */
export async function listPrograms(directories: readonly string[]): Promise<Programs[]> {
  const found: Programs[] = []
  const path = (process.env['PATH'] ?? '').split(':').filter((entry) => entry.startsWith('/'))
  const places = [...new Set([...directories, ...path, ...SYSTEM_DIRECTORIES])]
  for (const place of places) {
    for (const name of ['mariadbd', 'mysqld']) {
      const server = join(place, name)
      if (!existsSync(server)) continue
      const programs = await describe(server)
      const twin = found.some((other) => sameVersion(other.version, programs?.version))
      if (programs !== null && !twin) found.push(programs)
    }
  }
  return found
}

/**
 * @throws MaasError DATABASE_VERSION_UNSUPPORTED when this host has no server of the same series,
 *   MISSING_PROGRAM when it lacks what belongs to it
 */
export async function findPrograms(
  wanted: ServerVersion,
  directories: readonly string[],
): Promise<Programs> {
  const all = await listPrograms(directories)
  const found = all.find(
    ({ version }) => version.product === wanted.product && version.series === wanted.series,
  )
  if (found === undefined) {
    const title = productTitle(wanted.product)
    const message = `this host has no server program of ${title} ${wanted.series}`
    const present = all.map(({ version }) => `${productTitle(version.product)} ${version.number}`)
    throw new MaasError('DATABASE_VERSION_UNSUPPORTED', message, { present })
  }
  for (const [what, path] of Object.entries(found)) {
    if (path !== '') continue
    const message = `the ${what} program of ${productTitle(wanted.product)} is not installed`
    throw new MaasError('MISSING_PROGRAM', message, { beside: found.server })
  }
  return found
}

/** @returns null for what is no server of ours, such as a script of that name */
async function describe(server: string): Promise<Programs | null> {
  const key = `${server} ${statSync(server).mtimeMs}`
  const before = known.get(key)
  if (before !== undefined) return before
  let version: ServerVersion
  try {
    const { stdout } = await runProgram([server, '--no-defaults', '--version'], {
      timeoutMs: VERSION_MS,
    })
    version = parseVersion(stdout)
  } catch {
    return null // Not to be run here: another architecture, or a library is missing.
  }
  const folders = [dirname(server), join(dirname(server), '..', 'bin'), '/usr/bin']
  const beside = (names: readonly string[]): string =>
    folders
      .flatMap((folder) => names.map((name) => join(folder, name)))
      .find((path) => existsSync(path)) ?? ''
  const names = NAMES[version.product]
  const programs: Programs = {
    version,
    server,
    client: beside(names.client),
    binlog: beside(names.binlog),
    backup: version.product === 'mariadb' ? beside(['mariadb-backup', 'mariabackup']) : null,
  }
  known.set(key, programs)
  return programs
}

function sameVersion(a: ServerVersion, b: ServerVersion | undefined): boolean {
  return a.product === b?.product && a.number === b.number
}
