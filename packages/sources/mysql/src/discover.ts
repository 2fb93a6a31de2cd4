/** Servers that run on this host, by what their processes say. */
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { directorySize } from '@openmaas/source-kit/growing-directory'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { runProgram } from '@openmaas/source-kit/run-program'
import { parseVersion, productTitle } from './version.ts'

type Result = DatabaseResult<'database.discover'>
type Instance = Result['instances'][number]

const INSTANCES_MAX = 100
const SYSTEM = new Set(['mysql', 'sys', 'performance_schema'])

export async function discover({ signal }: PluginContext): Promise<Result> {
  const instances: Instance[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || instances.length >= INSTANCES_MAX) continue
    const words = commandOf(name)
    if (words === null) continue
    instances.push(await describe(name, words, signal))
  }
  const running = new Set(instances.map(({ dataDirectory }) => resolve(dataDirectory)))
  for (const dataDirectory of DATA_DIRECTORIES) {
    if (running.has(dataDirectory) || !existsSync(join(dataDirectory, 'ibdata1'))) continue
    instances.push(await stopped(dataDirectory))
  }
  return { instances }
}

/** Where distributions and vendors put it. */
const DATA_DIRECTORIES = ['/var/lib/mysql', '/usr/local/mysql/data']

async function stopped(dataDirectory: string): Promise<Instance> {
  return {
    engine: 'mysql',
    version: writtenVersion(dataDirectory),
    dataDirectory,
    host: null,
    port: null,
    running: false,
    sizeBytes: await directorySize(dataDirectory),
    databases: databasesIn(dataDirectory),
  }
}

/** What the last upgrade wrote, where a version writes any. */
function writtenVersion(dataDirectory: string): string {
  for (const name of ['mysql_upgrade_info', 'mariadb_upgrade_info']) {
    const path = join(dataDirectory, name)
    if (!existsSync(path)) continue
    const { product, number } = parseVersion(readFileSync(path, 'latin1').slice(0, 100))
    return `${productTitle(product)} ${number}`
  }
  return ''
}

/** @returns null when it is no server, or one of ours */
function commandOf(pid: string): string[] | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return null // It ended while we looked.
  }
  const words = text.split('\0').filter((word) => word !== '')
  const index = words.findIndex((word) => /^(?:mysqld|mariadbd)$/.test(basename(word)))
  // Started by a loader, the server is one of the first words; a shell only names it.
  const program = basename(words[0] ?? '')
  if (index < 0 || (index > 0 && !program.startsWith('ld-'))) return null
  const ours = words.some((word) =>
    /^--init-file=.*\/(?:src|vdb)_[0-9A-Z]{26}\/init\.sql$/.test(word),
  )
  return ours ? null : words
}

async function describe(
  pid: string,
  words: readonly string[],
  signal: AbortSignal,
): Promise<Instance> {
  const option = (name: string): string | undefined =>
    words.findLast((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3)
  const dataDirectory = option('datadir') ?? workingDirectory(pid) ?? '/var/lib/mysql'
  const socket = option('socket') ?? '/run/mysqld/mysqld.sock'
  const program = words.find((word) => /^(?:mysqld|mariadbd)$/.test(basename(word)))!
  return {
    engine: 'mysql',
    version: await versionOf(program, signal),
    dataDirectory,
    host: socket,
    port: listeningPort(option('port')),
    running: true,
    sizeBytes: await directorySize(dataDirectory).catch(() => 0),
    databases: databasesIn(dataDirectory),
  }
}

/** A server changes into its data directory. */
function workingDirectory(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return null
  }
}

async function versionOf(program: string, signal: AbortSignal): Promise<string> {
  try {
    const { stdout } = await runProgram([program, '--no-defaults', '--version'], { signal })
    const { product, number } = parseVersion(stdout)
    return `${productTitle(product)} ${number}`
  } catch {
    return '' // Told by "check", which asks the server itself.
  }
}

function listeningPort(text: string | undefined): number | null {
  const port = Number(text ?? 3306)
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null
}

/** Each is a directory of the data directory, when we may look. */
function databasesIn(dataDirectory: string): string[] {
  try {
    return readdirSync(dataDirectory, { withFileTypes: true })
      .filter(
        (entry) => entry.isDirectory() && !entry.name.startsWith('#') && !SYSTEM.has(entry.name),
      )
      .map((entry) => entry.name)
  } catch {
    return []
  }
}
