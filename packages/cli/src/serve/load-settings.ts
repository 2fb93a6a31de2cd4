/**
 * Settings of a role: flags, then OPENMAAS_*, then files, then defaults. The file is
 * /etc/openmaas/<role>.yaml, or the one of --config; `conf.d/*.yaml` beside it (of the other
 * roles `agent.d`, `node.d`) goes over it, in the order of names.
 */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { flagName, loadConfig } from '@openmaas/kernel/config'
import type { Settings } from '@openmaas/kernel/config'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { parse as parseYaml } from 'yaml'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { ROLES } from './settings.ts'
import type { RoleConfig, RoleName } from './settings.ts'

/** Some dozen lines; more is not ours. */
const FILE_SIZE_MAX = 64 * 1024
const FILES_MAX = 100

export interface LoadedSettings<R extends RoleName> {
  readonly config: RoleConfig<R>
  /** That were read, later ones over earlier ones. */
  readonly files: readonly string[]
}

/** @throws MaasError CONFIG_INVALID, FS_* */
export function loadSettings<R extends RoleName>(
  role: R,
  input: Input,
  { directory, env }: Pick<Site, 'directory' | 'env'>,
): LoadedSettings<R> {
  const settings: Settings = ROLES[role].settings
  const wanted = input.text('config')
  const main = wanted === undefined ? ROLES[role].file : path.resolve(directory, wanted)
  const folder = path.join(path.dirname(main), ROLES[role].folder)
  const files = findFiles(main, folder, wanted !== undefined)
  const content = Object.assign({}, ...files.map((file) => readFile(settings, file))) as object
  const flags = Object.fromEntries(
    Object.keys(settings).map((key) => [key, flagOf(input, flagName(key).slice(2))]),
  )
  // Everything in it was checked file by file: what is wrong now is a flag or a variable.
  const config = loadConfig(settings, { flags, env, file: { path: main, content } })
  const data = path.resolve(directory, config['data'] as string)
  return { config: Object.freeze({ ...config, data }) as RoleConfig<R>, files }
}

/** Of a switch the empty text, which means yes. */
function flagOf(input: Input, name: string): string | undefined {
  if (!input.knows(name) || !input.has(name)) return undefined
  return input.text(name) ?? ''
}

function findFiles(main: string, folder: string, isWanted: boolean): string[] {
  const more = globSync('*.yaml', { cwd: folder }).toSorted()
  if (more.length > FILES_MAX) {
    const message = `${folder} holds more than ${FILES_MAX} files`
    throw new MaasError('CONFIG_INVALID', message, { path: folder })
  }
  const first = isWanted || exists(main) ? [main] : []
  return [...first, ...more.map((name) => path.join(folder, name))]
}

function exists(file: string): boolean {
  try {
    readFileSync(file)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

function readFile(settings: Settings, file: string): object {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (error) {
    throw fsError((error as NodeJS.ErrnoException).code ?? 'EIO', 'read', file, error)
  }
  if (source.length > FILE_SIZE_MAX) {
    throw new MaasError('CONFIG_INVALID', `${file} is too long`, { path: file })
  }
  const content = joinLists(parse(file, source))
  loadConfig(settings, { file: { path: file, content } })
  return content as object
}

function parse(file: string, source: string): unknown {
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
