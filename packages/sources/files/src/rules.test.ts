import { describe, expect, test } from 'vitest'
import { Rules } from './rules.ts'

const takes = (exclude: string[], path: string, include: string[] = []): boolean => {
  const isDirectory = path.endsWith('/')
  const bytes = Buffer.from(isDirectory ? path.slice(0, -1) : path).toString('latin1')
  const name = bytes.slice(bytes.lastIndexOf('/') + 1)
  return new Rules({ exclude, include }).takes(bytes, name, isDirectory)
}

describe('rules', () => {
  test.each<[pattern: string, out: string[], kept: string[]]>([
    ['*.log', ['a.log', 'x/y/b.log', 'd.log/'], ['a.logs', 'log']],
    ['/a.log', ['a.log'], ['x/a.log']],
    ['a/b', ['a/b'], ['x/a/b', 'a/b/c']],
    ['cache/', ['cache/', 'x/cache/'], ['cache', 'x/cache']],
    ['**/b', ['b', 'a/b', 'x/y/b'], ['xb', 'a/bb']],
    ['a/**', ['a/b', 'a/b/c'], ['a/', 'b/a']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['az', 'a/bz']],
    ['?.txt', ['a.txt'], ['ab.txt', '.txt']],
    ['[a-c]x', ['ax', 'bx'], ['dx', 'x']],
    ['[!a-c]x', ['dx'], ['ax']],
    [String.raw`\*x`, ['*x'], ['ax']],
    ['a+b(c).$^', ['a+b(c).$^'], ['aab(c).$^']],
    ['é?', ['éa'], ['é']],
  ])('%s leaves out what a .gitignore would', (pattern, out, kept) => {
    for (const path of out) expect(takes([pattern], path), path).toBe(false)
    for (const path of kept) expect(takes([pattern], path), path).toBe(true)
  })

  test('the last match decides, and include comes last', () => {
    expect(takes(['*.log', '!keep.log'], 'keep.log')).toBe(true)
    expect(takes(['!keep.log', '*.log'], 'keep.log')).toBe(false)
    expect(takes(['*.log'], 'keep.log', ['keep.*'])).toBe(true)
  })

  test('names are bytes: a pattern matches a name that is not UTF-8', () => {
    expect(new Rules({ exclude: ['*.x'] }).takes('\xff.x', '\xff.x', false)).toBe(false)
  })

  test('a pattern that cannot be understood is refused by name', () => {
    for (const pattern of ['[abc', '/', '[z-a]']) {
      expect(() => new Rules({ exclude: [pattern] }), pattern).toThrowError(
        expect.objectContaining({ code: 'USAGE' }),
      )
    }
  })
})
