/**
 * One typed, frozen object of settings, from four places: flags, then environment, then file,
 * then defaults. Nothing else in the product reads process.env or a configuration file.
 *
 *   const SETTINGS = {
 *     logLevel: choice(['debug', 'info', 'silent'], 'silent'),
 *     passphraseFile: secretFile(),
 *   }
 *   const config = loadConfig(SETTINGS, { flags, env: process.env, file })
 *
 * A setting `logLevel` is the flag `--log-level`, the variable OPENMAAS_LOG_LEVEL and the key
 * `logLevel` of the file. A secret is never a value: only the name of a file that holds it.
 */
import { assert } from './assert.ts'
import { MaasError } from './errors.ts'
import { parseBytes } from './units.ts'

export interface Setting<T> {
  readonly initial: T
  /** @returns undefined when the text is no such value */
  parse(text: string): T | undefined
  /** Ends the sentence "wants …" of the error. */
  readonly wants: string
  /** Its value is not shown by `showConfig`: not even the path of a secret is for logs. */
  readonly secret?: boolean
}

export type Settings = { readonly [key: string]: Setting<unknown> }
export type Config<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never
}

export function text(initial: string): Setting<string>
export function text(): Setting<string | undefined>
export function text(initial?: string): Setting<string | undefined> {
  return { initial, parse: (value) => value, wants: 'a text' }
}

export function choice<T extends string>(values: readonly T[], initial: T): Setting<T> {
  return {
    initial,
    parse: (value) => values.find((one) => one === value),
    wants: `one of ${values.join(', ')}`,
  }
}

export function flag(initial: boolean): Setting<boolean> {
  const meanings = new Map([
    ['', true],
    ['true', true],
    ['1', true],
    ['yes', true],
    ['false', false],
    ['0', false],
    ['no', false],
  ])
  return { initial, parse: (value) => meanings.get(value.toLowerCase()), wants: 'true or false' }
}

export interface Limits {
  readonly least: number
  readonly most: number
}

/** A whole number within limits, both included. */
export function whole(initial: number, { least, most }: Limits): Setting<number> {
  return {
    initial,
    parse: (value) => {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
      return number >= least && number <= most ? number : undefined
    },
    wants: `a whole number from ${least} to ${most}`,
  }
}

/** Bytes: `512MiB`, `4G`, `4096`. */
export function size(initial: number, { least, most }: Limits): Setting<number> {
  return {
    initial,
    parse: (value) => {
      const bytes = parseBytes(value)
      return bytes !== undefined && bytes >= least && bytes <= most ? bytes : undefined
    },
    wants: `a size from ${least} to ${most} bytes, such as 512MiB`,
  }
}

/** The path of a file that holds a secret; its key ends in `File`. */
export function secretFile(): Setting<string | undefined> {
  const parse = (value: string) => (value === '' ? undefined : value)
  return { initial: undefined, parse, wants: 'the path of a file', secret: true }
}

export interface ConfigSources {
  /** By key; a flag that was not given is undefined. */
  readonly flags?: { readonly [key: string]: string | boolean | number | undefined }
  readonly env?: { readonly [name: string]: string | undefined }
  /** The parsed content of the file, and its path for messages. */
  readonly file?: { readonly path: string; readonly content: unknown }
}

/** Longest value taken from outside; every real one is a path, a number or a word. */
const VALUE_LENGTH_MAX = 4096

/**
 * @throws MaasError CONFIG_INVALID naming the flag, the variable or the key
 */
export function loadConfig<S extends Settings>(settings: S, sources: ConfigSources): Config<S> {
  const file = checkFile(settings, sources.file)
  const result: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries(settings)) {
    assert(!setting.secret || key.endsWith('File'), 'a secret setting names a file')
    const found =
      pick(sources.flags?.[key], flagName(key)) ??
      pick(sources.env?.[variableName(key)], variableName(key)) ??
      pick(file.get(key), `${key} in ${sources.file?.path}`)
    result[key] = found === undefined ? setting.initial : parseFound(setting, found)
  }
  return Object.freeze(result) as Config<S>
}

interface Found {
  readonly value: unknown
  /** Where it stood, for the error. */
  readonly place: string
}

function pick(value: unknown, place: string): Found | undefined {
  return value === undefined ? undefined : { value, place }
}

function parseFound(setting: Setting<unknown>, { value, place }: Found): unknown {
  const simple = ['string', 'number', 'boolean'].includes(typeof value)
  const spelled = simple ? String(value) : ''
  const parsed = simple && spelled.length <= VALUE_LENGTH_MAX ? setting.parse(spelled) : undefined
  if (parsed === undefined) {
    throw new MaasError('CONFIG_INVALID', `${place} wants ${setting.wants}`, { place })
  }
  return parsed
}

function checkFile(settings: Settings, file: ConfigSources['file']): Map<string, unknown> {
  if (file === undefined) return new Map()
  const { path, content } = file
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new MaasError('CONFIG_INVALID', `${path} is not a table of settings`, { path })
  }
  const rows = new Map(Object.entries(content))
  for (const key of rows.keys()) {
    // A misspelled key would otherwise leave a default in force without a word.
    if (!Object.hasOwn(settings, key)) {
      throw new MaasError('CONFIG_INVALID', `${path} has an unknown setting ${key}`, { path, key })
    }
  }
  return rows
}

/** `logLevel` → `--log-level` */
export function flagName(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** `logLevel` → `OPENMAAS_LOG_LEVEL` */
export function variableName(key: string): string {
  return `OPENMAAS_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** The effective settings for people, without secrets. */
export function showConfig<S extends Settings>(settings: S, config: Config<S>): object {
  const rows = Object.entries(config).map(([key, value]) => {
    const hidden = settings[key]?.secret === true && value !== undefined
    return [key, hidden ? '(set)' : value]
  })
  return Object.fromEntries(rows)
}
