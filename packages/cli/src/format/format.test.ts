import { describe, expect, test } from 'vitest'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { modeText, pathJson } from './entry.ts'
import { compileGlob } from './glob.ts'
import { formatTable } from './table.ts'
import { displayWidth, fit, printable, printableBytes } from './width.ts'

describe('columns', () => {
  test('stand under their titles, Chinese ones too', () => {
    const columns = [{ title: 'NAME' }, { title: '大小', align: 'right' as const }, { title: 'AT' }]
    const rows = [
      ['一个文件', '9', 'x'],
      ['b', '1024', ''],
    ]
    expect(formatTable(columns, rows)).toEqual([
      'NAME      大小  AT',
      '一个文件     9  x',
      'b         1024',
    ])
  })

  test('a Chinese character takes two, an ellipsis one', () => {
    expect([displayWidth('abc'), displayWidth('文件'), displayWidth('…')]).toEqual([3, 4, 1])
  })

  test('what does not fit is cut', () => {
    expect(fit('abcdef', 6)).toBe('abcdef')
    expect(fit('abcdefg', 6)).toBe('abcde…')
    expect(displayWidth(fit('一二三四五', 6))).toBeLessThanOrEqual(6)
  })
})

describe('names from outside', () => {
  test('cannot steer the terminal', () => {
    expect(printable('a\u001B[31mb\n')).toBe(String.raw`a\x1b[31mb\x0a`)
  })

  test('that are not UTF-8 are shown byte by byte', () => {
    const name = Buffer.from([0x61, 0xff, 0xe6, 0x96, 0x87, 0xe6])
    expect(printableBytes(name)).toBe(String.raw`a\xff文\xe6`)
    expect(pathJson(name)).toEqual({ path: 'a\uFFFD文\uFFFD', pathBytes: 'Yf/mlofm' })
    expect(pathJson(Buffer.from('文'))).toEqual({ path: '文' })
  })
})

test.each([
  [0o100644, '-rw-r--r--'],
  [0o104755, '-rwsr-xr-x'],
  [0o104644, '-rwSr--r--'],
  [0o102755, '-rwxr-sr-x'],
  [0o101777, '-rwxrwxrwt'],
  [0o101776, '-rwxrwxrwT'],
])('mode %o is %s', (mode, text) => {
  expect(modeText(ENTRY_KIND.file, mode)).toBe(text)
})

describe('patterns', () => {
  test.each([
    ['*.txt', 'a.txt', true],
    ['*.txt', 'a.txt.gz', false],
    ['*', 'a/b', false],
    ['**', 'a/b', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[ab]1', 'b1', true],
    ['[!ab]1', 'b1', false],
    ['a.c', 'abc', false],
    ['(x)', '(x)', true],
    ['[', '[', true],
    ['文*', '文件', true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(compileGlob(pattern)?.test(name)).toBe(expected)
  })

  test('a range that runs backwards is none', () => {
    expect(compileGlob('[z-a]')).toBeUndefined()
  })
})
