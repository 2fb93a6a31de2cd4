/** What there is on a machine because of a server: counted before and after, and the same. */
import { globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { commandLine, listProcesses } from '../support/leftovers.ts'

/** Packs, catalog and its copies grow with time, whatever is dropped. */
const ELSEWHERE = /^(?:pool$|catalog|audit|exports)/

export interface CensusSite {
  /** The server's data directory; its pool lies in it. */
  readonly data: string
  readonly serverPid: number
  /** Slots, users and databases of production. */
  askProduction(): Promise<Readonly<Record<string, number>>>
}

export type Census = Readonly<Record<string, number>>

/** Everything in the process and mount namespace is ours: cycles.ts makes it for itself. */
export async function takeCensus(site: CensusSite): Promise<Census> {
  const { data, serverPid } = site
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n')
  const { media, ...catalog } = readCatalog(join(data, 'catalog.db'))
  return {
    processes: listProcesses().filter((pid) => commandLine(pid) !== '').length,
    // Those of others, which were there when the namespace was made, go when they like.
    mounts: mounts.filter((line) => media.has(/mnt_[0-9A-Z]+/.exec(line)?.[0] ?? '')).length,
    'loop devices': loopsOf(media),
    'files of the agent and the node': filesIn(data, ELSEWHERE),
    'files of media in the pool': filesIn(join(data, 'pool', 'media')),
    'temporary files of the pool': filesIn(join(data, 'pool', 'tmp')),
    'files in /run/openmaas': filesIn('/run/openmaas'),
    'files in /run/openmaas-db': filesIn('/run/openmaas-db'),
    'mount points': readdirSync('/mnt/openmaas').length,
    ...catalog,
    // Packs that were read stay open, up to a limit: points, not virtual databases, make more.
    'descriptors of the server': descriptorsOf(serverPid).filter((to) => !to.includes('/packs/'))
      .length,
    ...(await site.askProduction()),
  }
}

/** What a process has open, by kinds: a path without its numbers, how often. */
export function describeDescriptors(pid: number): string {
  const counts = new Map<string, number>()
  for (const target of descriptorsOf(pid)) {
    const kind = target.replaceAll(/packs.*/g, 'packs').replaceAll(/[0-9A-Z]{26}|\d+/g, 'N')
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
}

const descriptorsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => linkOrNothing(`/proc/${pid}/fd/${fd}`))

function linkOrNothing(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '' // Closed while we looked.
  }
}

/** Every name whose count differs. */
export function compareCensus(before: Census, after: Census): string[] {
  return Object.keys(before)
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name}: ${before[name]} before, ${after[name]} after`)
}

/** Loop devices are the machine's: those of any medium that the server ever had. */
function loopsOf(media: ReadonlySet<string>): number {
  return globSync('/sys/block/loop*/loop/backing_file').filter((path) =>
    media.has(/mnt_[0-9A-Z]+/.exec(readOrNothing(path))?.[0] ?? ''),
  ).length
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // Detached while we looked.
  }
}

function filesIn(directory: string, except = /^$/): number {
  let count = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (except.test(entry.name)) continue
    // What is mounted in it is counted as a mount.
    if (entry.isDirectory() && entry.name !== 'fuse') {
      count += filesIn(join(directory, entry.name), except)
    } else count += 1
  }
  return count
}

/** Rows that are to go with a virtual database; that it was there is kept. */
function readCatalog(path: string) {
  const catalog = new DatabaseSync(path, { readOnly: true })
  try {
    const count = (sql: string): number => Number(catalog.prepare(sql).get()?.['n'])
    const ids = catalog.prepare('select id, pool_medium_id as other from medium').all()
    return {
      media: new Set(ids.flatMap(({ id, other }) => [String(id), String(other)])),
      'secrets in the catalog': count('select count(*) as n from secret'),
      'users of the server': count('select count(*) as n from user'),
      'media that are not ejected': count(
        `select count(*) as n from medium where state <> 'ejected'`,
      ),
    }
  } finally {
    catalog.close()
  }
}
