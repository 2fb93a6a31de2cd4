/**
 * What `openmaas serve` can be told: flags, then OPENMAAS_*, then /etc/openmaas/server.yaml with
 * conf.d/*.yaml over it, then defaults. docs/reference/server-settings.md is made of this table.
 */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { choice, flag, loadConfig, secretFile, text } from '@openmaas/kernel/config'
import type { Config, Setting } from '@openmaas/kernel/config'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { LOG_LEVELS } from '@openmaas/kernel/log'
import { parse as parseYaml } from 'yaml'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { address } from './address.ts'

/** Names with commas between; none by default. */
function list(): Setting<readonly string[]> {
  const parse = (value: string) => value.split(',').flatMap((one) => one.trim() || [])
  return { initial: [], parse, wants: 'names with commas between' }
}

export const SERVER_SETTINGS = {
  data: text('/var/lib/openmaas'),
  listen: address('127.0.0.1:8730'),
  channelListen: address('127.0.0.1:8731'),
  dataListen: address('127.0.0.1:8732'),
  nbdListen: address('127.0.0.1:8733'),
  /** Plain HTTP on `listen`: on loopback, or behind a proxy that speaks TLS. */
  http: flag(false),
  /** By which people and hosts reach this machine; the first goes into what they are told. */
  names: list(),
  /** `postgres://…`; else an SQLite file in the data directory. */
  catalogUrlFile: secretFile(),
  /** Do not make a pool at the first start. */
  noPool: flag(false),
  /** What the embedded agent may be asked to do with this machine. */
  allowRestore: flag(true),
  allowMount: flag(true),
  pathsOnly: list(),
  /** /metrics without a token. */
  metricsPublic: flag(false),
  /** Built files of the console. */
  consoleRoot: text(),
  logLevel: choice(LOG_LEVELS, 'info'),
  logFormat: choice(['auto', 'json', 'human'], 'auto'),
} as const
export type ServerConfig = Config<typeof SERVER_SETTINGS>
type ServerKey = keyof typeof SERVER_SETTINGS

export const SERVER_CONFIG_PATH = '/etc/openmaas/server.yaml'
/** Some dozen lines; more is not ours. */
const FILE_SIZE_MAX = 64 * 1024
const FILES_MAX = 100

export interface ServerSettingsPlace {
  readonly config: ServerConfig
  /** Files that were read, later ones over earlier ones. */
  readonly files: readonly string[]
}

/** @throws MaasError CONFIG_INVALID, FS_* */
export function loadServerConfig(input: Input, site: Site): ServerSettingsPlace {
  const wanted = input.text('config')
  const main = wanted === undefined ? SERVER_CONFIG_PATH : path.resolve(site.directory, wanted)
  const files = configFiles(main, wanted !== undefined)
  const content = Object.assign({}, ...files.map((file) => readFile(file))) as object
  const flags = Object.fromEntries(
    (Object.keys(SERVER_SETTINGS) as ServerKey[]).map((key) => [key, flagOf(input, key)]),
  )
  const last = files.at(-1) ?? main
  const config = loadConfig(SERVER_SETTINGS, {
    flags,
    env: site.env,
    file: { path: last, content },
  })
  return { config: { ...config, data: path.resolve(site.directory, config.data) }, files }
}

function flagOf(input: Input, key: ServerKey): string | undefined {
  const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  if (!input.has(name)) return undefined
  return input.text(name) ?? ''
}

function configFiles(main: string, isWanted: boolean): string[] {
  const more = globSync('conf.d/*.yaml', { cwd: path.dirname(main) })
    .toSorted()
    .map((name) => path.join(path.dirname(main), name))
  const files = [main, ...more]
  if (files.length > FILES_MAX) {
    throw new MaasError('CONFIG_INVALID', `more than ${FILES_MAX} files of settings`, {
      path: main,
    })
  }
  return files.filter((file) => file !== main || isWanted || exists(file))
}

function exists(file: string): boolean {
  try {
    readFileSync(file)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

/** Each file by itself, so that what is wrong is told with the name of the file it stands in. */
function readFile(file: string): object {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (error) {
    throw fsError((error as NodeJS.ErrnoException).code ?? 'EIO', 'read', file, error)
  }
  if (source.length > FILE_SIZE_MAX) {
    throw new MaasError('CONFIG_INVALID', `${file} is too long`, { path: file })
  }
  const content = joinLists(parseFile(file, source))
  loadConfig(SERVER_SETTINGS, { file: { path: file, content } })
  return content as object
}

function parseFile(file: string, source: string): unknown {
  try {
    return (parseYaml(source) as unknown) ?? {}
  } catch (cause) {
    const [why = 'not YAML'] = cause instanceof Error ? cause.message.split('\n') : []
    throw new MaasError('CONFIG_INVALID', `${file}: ${why}`, { path: file }, { cause })
  }
}

/** A list of YAML as the text that a flag would have: `names: [a, b]` → `a,b`. */
function joinLists(content: unknown): unknown {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return content
  return Object.fromEntries(
    Object.entries(content).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.join(',') : (value as unknown),
    ]),
  )
}
