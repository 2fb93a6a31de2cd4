/** File name patterns: `*` and `?` for anything but "/", `**` for everything, `[abc]` for one. */

/** Longer patterns are no names. */
const PATTERN_LENGTH_MAX = 4096

/** @returns a test of whole names or paths; undefined when the pattern is too long */
export function compileGlob(pattern: string): RegExp | undefined {
  if (pattern.length > PATTERN_LENGTH_MAX) return undefined
  let source = ''
  for (let i = 0; i < pattern.length; i += 1) {
    const character = pattern[i]!
    if (character === '*') {
      const isDeep = pattern[i + 1] === '*'
      source += isDeep ? '.*' : '[^/]*'
      if (isDeep) i += 1
    } else if (character === '?') source += '[^/]'
    else if (character === '[' && pattern.indexOf(']', i + 2) > 0) {
      const end = pattern.indexOf(']', i + 2)
      const set = pattern.slice(i + 1, end).replaceAll(/[\\\]^]/g, '\\$&')
      source += `[${set.replace(/^(!|\\\^)/, '^')}]`
      i = end
    } else source += character.replaceAll(/[\\^$.|+(){}[\]]/g, '\\$&')
  }
  try {
    return new RegExp(`^${source}$`, 'su')
  } catch (error) {
    if (error instanceof SyntaxError) return undefined // `[z-a]`
    throw error
  }
}
