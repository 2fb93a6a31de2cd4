/**
 * What flags, environment and configuration files say, in this order of precedence; the only
 * reader of the environment besides the language and NO_COLOR.
 *
 * A configuration file holds lines of `name: value` and comments after `#`: the part of YAML that
 * is needed here. $XDG_CONFIG_HOME/openmaas/config.yaml goes before /etc/openmaas/config.yaml.
 * What is indented below `contexts:` belongs to server-client/contexts.ts.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { Input } from './input.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Name in a configuration file → environment variable. The flag has the same name with dashes. */
export const SETTINGS = {
  pool: 'OPENMAAS_POOL',
  passphrase_file: 'OPENMAAS_PASSPHRASE_FILE',
  lanes: 'OPENMAAS_LANES',
  lang: 'OPENMAAS_LANG',
  context: 'OPENMAAS_CONTEXT',
  server: 'OPENMAAS_SERVER',
  token_file: 'OPENMAAS_TOKEN_FILE',
  fingerprint: 'OPENMAAS_FINGERPRINT',
} as const
export type SettingName = keyof typeof SETTINGS

const SYSTEM_FILE = '/etc/openmaas/config.yaml'
/** A handful of lines; more is not ours. */
const FILE_SIZE_MAX = 64 * 1024

export class Settings {
  readonly #flags: ReadonlyMap<SettingName, string>
  readonly #env: Environment
  #files: readonly ReadonlyMap<SettingName, string>[] | undefined

  constructor(input: Input | undefined, env: Environment) {
    const flags = new Map<SettingName, string>()
    for (const name of ['pool', 'passphrase_file', 'lang', 'context'] as const) {
      const value = input?.text(name.replaceAll('_', '-'))
      if (value !== undefined) flags.set(name, value)
    }
    this.#flags = flags
    this.#env = env
  }

  /** Files are read only when neither a flag nor the environment has answered. */
  get(name: SettingName): string | undefined {
    const value = this.#flags.get(name) ?? (this.#env[SETTINGS[name]] || undefined)
    if (value !== undefined) return value
    this.#files ??= configurationFiles(this.#env).map((file) => readConfiguration(file))
    return this.#files.find((file) => file.has(name))?.get(name)
  }
}

function configurationFiles(env: Environment): string[] {
  const own = personalFile(env)
  return [...(own === undefined ? [] : [own]), SYSTEM_FILE]
}

/** Where `login` and `context use` write; undefined for a user without a home. */
export function personalFile(env: Environment): string | undefined {
  const home = env['XDG_CONFIG_HOME'] || (env['HOME'] ? path.join(env['HOME'], '.config') : '')
  return home === '' ? undefined : path.join(home, 'openmaas/config.yaml')
}

function readConfiguration(file: string): Map<SettingName, string> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return new Map()
    throw new MaasError(
      'CONFIG_INVALID',
      `cannot read ${file}: ${code}`,
      { path: file },
      { cause: error },
    )
  }
  return parseConfiguration(text, file)
}

/** @throws MaasError CONFIG_INVALID, with the line */
export function parseConfiguration(text: string, file: string): Map<SettingName, string> {
  const values = new Map<SettingName, string>()
  const fail = (line: number, reason: string): MaasError =>
    new MaasError('CONFIG_INVALID', `${file}, line ${line}: ${reason}`, { path: file, line })
  if (text.length > FILE_SIZE_MAX) throw fail(1, 'the file is too long')
  let inContexts = false
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim()
    if (line === '' || line === '---') continue
    inContexts = inContexts && /^[\s-]/.test(raw)
    if (inContexts) continue
    if (/^contexts:(?:\s*\{\s*\})?$/.test(line)) {
      inContexts = true
      continue
    }
    const match = /^(\w+):\s+(.+)$/.exec(line)
    if (match === null) throw fail(index + 1, 'not of the form "name: value"')
    const name = match[1]!
    if (!Object.hasOwn(SETTINGS, name)) throw fail(index + 1, `unknown name "${name}"`)
    values.set(name as SettingName, match[2]!.replace(/^(["'])(.*)\1$/, '$2'))
  }
  return values
}
