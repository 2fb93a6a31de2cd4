/**
 * The clusters of this host: those that run, by their processes, and those that Debian's layout
 * has at rest. Nothing is asked of a server, since nobody has told whom to connect as.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { directorySize } from '@openmaas/source-kit/growing-directory'

type Instance = DatabaseResult<'database.discover'>['instances'][number]

/** Debian: /var/lib/postgresql/<major>/<cluster>. */
const CLUSTERS = '/var/lib/postgresql'

export async function discover(): Promise<DatabaseResult<'database.discover'>> {
  const directories = new Set([...runningDirectories(), ...restingDirectories()])
  const instances: Instance[] = []
  for (const directory of directories) {
    const instance = await describe(directory)
    if (instance !== null) instances.push(instance)
  }
  return { instances }
}

/** A server's working directory is its data directory. */
function runningDirectories(): string[] {
  const found: string[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      if (!/(?:^|\/)postgres\0/.test(readFileSync(`/proc/${name}/cmdline`, 'latin1'))) continue
      const cwd = readlinkSync(`/proc/${name}/cwd`)
      if (existsSync(join(cwd, 'postmaster.pid'))) found.push(cwd)
    } catch {
      continue // It ended, or belongs to somebody whom we may not look at.
    }
  }
  return found
}

function restingDirectories(): string[] {
  if (!existsSync(CLUSTERS)) return []
  const found: string[] = []
  for (const major of readdirSync(CLUSTERS)) {
    if (!/^\d+$/.test(major)) continue
    for (const name of readdirSync(join(CLUSTERS, major))) {
      const directory = join(CLUSTERS, major, name)
      if (existsSync(join(directory, 'PG_VERSION'))) found.push(directory)
    }
  }
  return found
}

/** @returns null for a standby or a clone of ours: control knows it already */
async function describe(directory: string): Promise<Instance | null> {
  if (existsSync(join(directory, '..', 'openmaas.json'))) return null
  const version = readFileSync(join(directory, 'PG_VERSION'), 'latin1').trim()
  const running = readPostmaster(directory)
  return {
    engine: 'postgres',
    version,
    dataDirectory: directory,
    host: running?.host ?? null,
    port: running?.port ?? null,
    running: running !== null,
    sizeBytes: await directorySize(directory),
    databases: [],
  }
}

/**
 * postmaster.pid, by line: pid, data directory, start time, port, socket directory, address,
 * shared memory, status (src/include/utils/pidfile.h).
 */
function readPostmaster(directory: string): { host: string; port: number } | null {
  const path = join(directory, 'postmaster.pid')
  if (!existsSync(path)) return null
  const [pid, , , port, socket, address] = readFileSync(path, 'latin1').split('\n')
  if (!existsSync(`/proc/${pid?.trim()}`)) return null
  const host = socket?.trim() || (address?.trim() === '*' ? '127.0.0.1' : address?.trim())
  const number = Number(port)
  return host && number >= 1 && number <= 65_535 ? { host, port: number } : null
}
