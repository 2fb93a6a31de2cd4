import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const source = join(import.meta.dirname, '..')
const folders = globSync('**/messages/en.ts', { cwd: source }).map((path) =>
  path.slice(0, -'/en.ts'.length),
)

type Catalogue = Readonly<Record<string, string>>
const namesIn = (text: string): string[] =>
  [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]!).toSorted()

describe.each(folders)('the words of %s', async (folder) => {
  const { en } = (await import(join(source, folder, 'en.ts'))) as { en: Catalogue }
  const { zhCn } = (await import(join(source, folder, 'zh-cn.ts'))) as { zhCn: Catalogue }

  test('are the same keys in both languages, with one form of plural in Chinese', () => {
    const expected = Object.keys(en).filter((key) => !key.endsWith('_one'))
    expect(Object.keys(zhCn).toSorted()).toEqual(expected.toSorted())
    for (const key of Object.keys(en).filter((name) => name.endsWith('_one'))) {
      expect(en, key).toHaveProperty([key.replace(/_one$/, '_other')])
    }
  })

  test('have the same parameters in both languages, and none is empty', () => {
    for (const [key, text] of Object.entries(zhCn)) {
      expect(namesIn(text), key).toEqual(namesIn(en[key]!))
      expect(text.trim(), key).not.toBe('')
      expect(en[key]!.trim(), key).not.toBe('')
    }
  })
})

test('every folder of messages has a namespace of its own', () => {
  const names = folders.map((folder) => folder.split('/').at(-2))
  expect(new Set(names).size).toBe(folders.length)
})
