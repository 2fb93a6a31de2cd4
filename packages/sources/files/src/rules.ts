/**
 * Which entries of a source are taken: patterns as in a .gitignore, matched against bytes.
 *
 * - `*` and `?` match within a name, `**` across names, `[a-z]` and `[!a-z]` one byte; `\` takes
 *   the next character as it is.
 * - A pattern with a `/` at its beginning or inside is matched from the source's directory;
 *   another one matches a name at any depth.
 * - A `/` at the end matches directories only.
 * - `!` in front takes again what an earlier pattern left out. The last match decides.
 * - A directory that is left out is not gone into: nothing below it can be taken again.
 */
import { MaasError } from '@openmaas/kernel/errors'

/** More are a mistake: each costs a match for each name. */
export const PATTERN_COUNT_MAX = 10_000

interface Pattern {
  readonly expression: RegExp
  readonly directoriesOnly: boolean
  readonly anchored: boolean
  readonly take: boolean
}

export interface RuleOptions {
  readonly exclude?: readonly string[]
  /** As if each stood behind all others with a `!` in front. */
  readonly include?: readonly string[]
}

export class Rules {
  readonly #patterns: readonly Pattern[]

  /** @throws MaasError USAGE for a pattern that cannot be understood */
  constructor({ exclude = [], include = [] }: RuleOptions) {
    const texts = [...exclude, ...include.map((text) => `!${text}`)]
    if (texts.length > PATTERN_COUNT_MAX) {
      throw new MaasError('USAGE', 'too many patterns', { limit: PATTERN_COUNT_MAX })
    }
    this.#patterns = texts.flatMap((text) => parsePattern(text) ?? []).toReversed()
  }

  /** True when nothing is ever left out, so that nobody needs to ask. */
  get isEmpty(): boolean {
    return this.#patterns.length === 0
  }

  /**
   * @param path from the source's directory, bytes as latin1 characters, "/" between names
   * @param name its last name
   */
  takes(path: string, name: string, isDirectory: boolean): boolean {
    for (const pattern of this.#patterns) {
      if (pattern.directoriesOnly && !isDirectory) continue
      if (pattern.expression.test(pattern.anchored ? path : name)) return pattern.take
    }
    return true
  }
}

function parsePattern(text: string): Pattern | undefined {
  // The user's characters become the bytes that stand in file names.
  let pattern = Buffer.from(text, 'utf8').toString('latin1')
  if (pattern === '' || pattern.startsWith('#')) return undefined
  const take = pattern.startsWith('!')
  if (take) pattern = pattern.slice(1)
  const directoriesOnly = pattern.endsWith('/')
  pattern = pattern.replace(/\/+$/, '')
  const anchored = pattern.includes('/')
  pattern = pattern.replace(/^\/+/, '')
  if (pattern === '') throw new MaasError('USAGE', `the pattern "${text}" matches nothing`)
  return { expression: translate(pattern, text), directoriesOnly, anchored, take }
}

function translate(pattern: string, text: string): RegExp {
  let source = ''
  for (let i = 0; i < pattern.length;) {
    const rest = pattern.slice(i)
    if (rest.startsWith('**/') && (i === 0 || pattern[i - 1] === '/')) {
      source += '(?:[^]*/)?'
      i += 3
    } else if (rest === '/**') {
      source += '/[^]+'
      i += 3
    } else if (rest.startsWith('**')) {
      source += '[^]*'
      i += 2
    } else if (rest.startsWith('*')) {
      source += '[^/]*'
      i += 1
    } else if (rest.startsWith('?')) {
      source += '[^/]'
      i += 1
    } else if (rest.startsWith('[')) {
      const set = /^\[(!|\^)?(\]?[^\]]*)\]/.exec(rest)
      if (set === null) throw new MaasError('USAGE', `the pattern "${text}" has a [ without a ]`)
      const inside = set[2]!.replaceAll(/[\\\]^[]/g, String.raw`\$&`)
      source += `(?!/)[${set[1] === undefined ? '' : '^'}${inside}]`
      i += set[0].length
    } else {
      const escaped = rest.startsWith('\\') && rest.length > 1
      const character = escaped ? rest[1]! : rest[0]!
      source += character.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
      i += escaped ? 2 : 1
    }
  }
  try {
    return new RegExp(`^${source}$`)
  } catch (cause) {
    throw new MaasError('USAGE', `the pattern "${text}" cannot be understood`, {}, { cause })
  }
}
