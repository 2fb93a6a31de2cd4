import { writeFileSync } from 'node:fs'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { parseDocuments, readText } from './documents.ts'

/** 10⁹ values from some hundred bytes. */
function aliasesOfAliases(): string {
  const ten = (item: string) => `[${Array<string>(10).fill(item).join(',')}]`
  const names = 'abcdefghi'.split('')
  return names.map((name, i) => `${name}: &${name} ${ten(i ? `*${names[i - 1]}` : 'x')}`).join('\n')
}

test('documents are separated by lines of three dashes, at the ends too', () => {
  expect(parseDocuments('---\na: 1\n---\nb: 2\n---\n', 'x.yaml')).toEqual([{ a: 1 }, { b: 2 }])
  expect(parseDocuments('- a: 1\n- b: 2\n', 'x.yaml')).toEqual([{ a: 1 }, { b: 2 }])
})

test.each([
  ['a: 1\n---\nb: [1\n', /^x\.yaml, line [34]: /],
  ['a: 1\na: 2\n', /^x\.yaml, line 2: Map keys must be unique/],
  ['', /holds no document/],
  ['---\n---\n', /holds no document/],
  [aliasesOfAliases(), /^x\.yaml: Excessive alias count/],
])('bad YAML is named with its line: %j', (text, message) => {
  expect(() => parseDocuments(text, 'x.yaml')).toThrowError(message)
})

test('what is longer than the server takes is refused before it is parsed', () => {
  using site = new TemporaryDirectory()
  const limit = 8 * 1024 * 1024
  writeFileSync(site.join('fits.yaml'), Buffer.alloc(limit, '#'))
  writeFileSync(site.join('long.yaml'), Buffer.alloc(limit + 1, '#'))
  expect(readText('fits.yaml', { directory: site.path })).toHaveLength(limit)
  expect(() => readText('long.yaml', { directory: site.path })).toThrowError(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('8.00 MiB'),
    }),
  )
  expect(() => readText('none.yaml', { directory: site.path })).toThrowError(
    expect.objectContaining({ code: 'FS_NOT_FOUND' }),
  )
})
