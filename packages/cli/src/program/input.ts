/**
 * Parsing a command line against the spec of its command. Every refusal is a USAGE error that
 * names the argument.
 *
 * Accepted: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-ab` for switches, `--` ends
 * options, options and arguments in any order. A value may begin with a dash only after `=`.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { parseBytes } from '@openmaas/kernel/units'
import type { CommandSpec, OptionSpec } from './spec.ts'

/** Less is no size of anything that is asked for, and more is written by programs. */
const BARE_BYTES_MIN = 1024 ** 2

/** Values of options as given, and the arguments that are no options. */
export class Input {
  readonly positionals: readonly string[]
  readonly #options: readonly OptionSpec[]
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(
    options: readonly OptionSpec[],
    values: ReadonlyMap<string, readonly string[]>,
    positionals: readonly string[],
  ) {
    this.#options = options
    this.#values = values
    this.positionals = positionals
  }

  /** True when the command has such an option, given or not. */
  knows(name: string): boolean {
    return this.#options.some((option) => option.name === name)
  }

  /** True when the option was given. */
  has(name: string): boolean {
    return this.list(name).length > 0
  }

  /** The last value given. */
  text(name: string): string | undefined {
    return this.list(name).at(-1)
  }

  list(name: string): readonly string[] {
    assert(this.knows(name), `the option ${name} is in the spec of its command`)
    return this.#values.get(name) ?? []
  }

  integer(name: string, range: { min: number; max: number }): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    if (number >= range.min && number <= range.max) return number
    const expected = `a number from ${range.min} to ${range.max}`
    throw new MaasError('USAGE', `--${name} wants ${expected}, not "${value}"`, { option: name })
  }

  /** Bytes, as in `10G`. A small number without a unit is a unit that was forgotten. */
  size(name: string): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const size = parseBytes(value)
    const isBare = /^\s*\d+\s*$/.test(value) && (size ?? 0) > 0 && (size ?? 0) < BARE_BYTES_MIN
    if (size !== undefined && !isBare) return size
    const message = isBare
      ? `--${name} wants a unit: ${value}GiB, ${value}MiB, or ${value}B for bytes`
      : `--${name} wants a size such as 512M or 10G, not "${value}"`
    throw new MaasError('USAGE', message, { option: name, size: value })
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const found = choices.find((choice) => choice === value)
    if (found !== undefined) return found
    const message = `--${name} wants ${choices.join(', ')}, not "${value}"`
    throw new MaasError('USAGE', message, { option: name, choices })
  }
}

/** @throws MaasError USAGE */
export function parseInput(
  spec: CommandSpec,
  globals: readonly OptionSpec[],
  args: readonly string[],
): Input {
  const options = [...spec.options, ...globals]
  const values = new Map<string, string[]>()
  const positionals: string[] = []
  const rest = [...args]
  const add = (option: OptionSpec, value: string): void => {
    const list = values.get(option.name)
    if (list === undefined) values.set(option.name, [value])
    else list.push(value)
  }
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') positionals.push(...rest.splice(0))
    else if (argument.startsWith('--')) parseLong(options, argument, rest, add)
    else if (argument.startsWith('-') && argument.length > 1)
      parseShort(options, argument, rest, add)
    else positionals.push(argument)
  }
  const asksForHelp = values.has('help')
  if (!asksForHelp) checkCount(spec, positionals)
  return new Input(options, values, positionals)
}

type Add = (option: OptionSpec, value: string) => void

function parseLong(
  options: readonly OptionSpec[],
  argument: string,
  rest: string[],
  add: Add,
): void {
  const equals = argument.indexOf('=')
  const name = argument.slice(2, equals < 0 ? undefined : equals)
  const option = options.find((candidate) => candidate.name === name)
  if (option === undefined) throw unknownOption(options, `--${name}`)
  if (option.value === undefined) {
    if (equals >= 0) throw usage(`--${name} takes no value`, name)
    add(option, '')
  } else if (equals >= 0) add(option, filled(option, `--${name}`, argument.slice(equals + 1)))
  else if (option.optionalValue !== undefined) {
    add(option, option.optionalValue.test(rest[0] ?? '') ? rest.shift()! : '')
  } else add(option, takeValue(option, `--${name}`, rest))
}

function parseShort(
  options: readonly OptionSpec[],
  argument: string,
  rest: string[],
  add: Add,
): void {
  for (let i = 1; i < argument.length; i += 1) {
    const option = options.find((candidate) => candidate.short === argument[i])
    if (option === undefined) throw unknownOption(options, `-${argument[i]}`)
    if (option.value === undefined) {
      add(option, '')
      continue
    }
    const glued = argument.slice(i + 1)
    add(option, glued === '' ? takeValue(option, `-${argument[i]}`, rest) : glued)
    return
  }
}

function takeValue(option: OptionSpec, spelled: string, rest: string[]): string {
  const value = rest.shift()
  if (value !== undefined && !(value.startsWith('-') && value.length > 1)) {
    return filled(option, spelled, value)
  }
  throw wantsValue(`${spelled} wants a value: ${option.value}`, option)
}

/** Rule: a variable that a script forgot to set is never taken for the current directory. */
function filled(option: OptionSpec, spelled: string, value: string): string {
  if (value !== '' || option.optionalValue !== undefined) return value
  throw wantsValue(`${spelled} wants a value that is not empty: ${option.value}`, option)
}

function wantsValue(message: string, { name, value }: OptionSpec): MaasError {
  return new MaasError('USAGE', message, { option: name, wants: value ?? '' })
}

function usage(message: string, option: string): MaasError {
  return new MaasError('USAGE', message, { option })
}

function unknownOption(options: readonly OptionSpec[], spelled: string): MaasError {
  const name = spelled.replace(/^-+/, '')
  const near = nearest(
    name,
    options.map((option) => option.name),
  )
  const suggestion = near === undefined ? '' : `; did you mean --${near}?`
  const details = { option: name, unknown: spelled, ...(near !== undefined && { near }) }
  return new MaasError('USAGE', `unknown option ${spelled}${suggestion}`, details)
}

function checkCount(spec: CommandSpec, positionals: readonly string[]): void {
  const { countMin, countMax, usage: expected } = spec.arguments
  const details = { command: spec.path, usage: `openmaas ${spec.path} ${expected}`.trimEnd() }
  if (positionals.length < countMin) {
    throw new MaasError('USAGE', `"openmaas ${spec.path}" wants ${expected}`, details)
  }
  if (positionals.length > countMax) {
    const extra = positionals[countMax]!
    throw new MaasError('USAGE', `unexpected argument "${extra}"`, { ...details, extra })
  }
  if (positionals.includes('')) throw new MaasError('USAGE', 'an argument is empty', details)
}

/** The candidate that is at most two typing errors away. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const scored = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .toSorted((a, b) => a.distance - b.distance)
  const best = scored[0]
  return best !== undefined && best.distance <= Math.min(2, word.length - 1)
    ? best.candidate
    : undefined
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(change, previous[j]! + 1, row[j - 1]! + 1))
    }
    previous = row
  }
  return previous[b.length]!
}
