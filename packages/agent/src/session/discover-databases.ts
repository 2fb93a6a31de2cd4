/** Databases of this host, by their sockets and data directories. */
import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Result } from '@openmaas/protocols/channel/orders'
import { exists, listNames, readLine } from './probe.ts'

const POSTGRES_SOCKETS = ['var/run/postgresql', 'run/postgresql', 'tmp']
const MYSQL_SOCKETS = ['run/mysqld/mysqld.sock', 'var/lib/mysql/mysql.sock', 'tmp/mysql.sock']
type Discovered = Result<'host.discover'>['items'][number]

/** Files of a data directory that are sized up; beyond, the sum is a lower bound. */
const FILES_SIZED_MAX = 20_000

export async function findDatabases(root: string): Promise<Discovered[]> {
  const databases = [...(await findPostgres(root)), ...(await findMysql(root))]
  return Promise.all(
    databases.map(async (row) => ({ ...row, sizeBytes: await sizeOf(join(root, row.path)) })),
  )
}

type Found = Omit<Discovered, 'sizeBytes'>

async function findPostgres(root: string): Promise<Found[]> {
  const ports = new Map<string, string>()
  for (const directory of POSTGRES_SOCKETS) {
    for (const name of await listNames(join(root, directory))) {
      const port = /^\.s\.PGSQL\.(\d+)\.lock$/.exec(name)?.[1]
      if (port === undefined) continue
      const data = await readLockedDirectory(join(root, directory, name))
      if (data !== undefined) ports.set(data, port)
    }
  }
  const directories = new Set([...ports.keys(), ...(await listPostgresDirectories(root))])
  const found: Found[] = []
  for (const path of directories) {
    const version = await readLine(join(root, path, 'PG_VERSION'))
    if (version === '') continue
    const port = ports.get(path)
    const state = port === undefined ? 'not running' : `port ${port}`
    found.push({ kind: 'postgres', path, detail: `PostgreSQL ${version}, ${state}` })
  }
  return found
}

/** Line 2 of the lock beside a socket is the data directory (storage/miscinit: CreateLockFile). */
async function readLockedDirectory(lock: string): Promise<string | undefined> {
  try {
    const path = (await readFile(lock, 'utf8')).split('\n')[1]
    return path?.startsWith('/') === true ? path : undefined
  } catch {
    return undefined // Not ours to read, or gone.
  }
}

/** Debian has one per version and cluster, the others one. */
async function listPostgresDirectories(root: string): Promise<string[]> {
  const directories = ['/var/lib/pgsql/data']
  for (const version of await listNames(join(root, 'var/lib/postgresql'))) {
    for (const cluster of await listNames(join(root, 'var/lib/postgresql', version))) {
      directories.push(`/var/lib/postgresql/${version}/${cluster}`)
    }
  }
  return directories
}

async function findMysql(root: string): Promise<Found[]> {
  const path = '/var/lib/mysql'
  if (!(await exists(join(root, path, 'ibdata1')))) return []
  const sockets = await Promise.all(
    MYSQL_SOCKETS.map(async (socket) => ((await exists(join(root, socket))) ? `/${socket}` : '')),
  )
  const socket = sockets.find((name) => name !== '')
  const upgrade = await readLine(join(root, path, 'mysql_upgrade_info'))
  const version = upgrade === '' ? 'MySQL or MariaDB' : upgrade
  const state = socket === undefined ? 'not running' : `socket ${socket}`
  return [{ kind: 'mysql', path, detail: `${version}, ${state}` }]
}

/** Bytes in the files of a directory and below, of the first FILES_SIZED_MAX. */
async function sizeOf(directory: string): Promise<number> {
  const waiting = [directory]
  let count = 0
  let size = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const entries = await readdir(next, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = join(next, entry.name)
      if (entry.isDirectory()) waiting.push(path)
      if (!entry.isFile()) continue
      count += 1
      if (count > FILES_SIZED_MAX) return size
      size += await stat(path).then(
        (file) => file.size,
        () => 0, // Gone meanwhile.
      )
    }
  }
  return size
}
