import { describe, expect, test } from 'vitest'
import { displayWidth } from '../format/width.ts'
import { commandHelp, overview } from '../program/help-text.ts'
import { CLI_PAGES, renderCliPage } from '../program/reference.ts'
import { COMMANDS } from '../program/tree.ts'
import { chinese } from './chinese.ts'
import { english } from './english.ts'
import { chooseLanguage } from './language.ts'
import { makeText, type Messages } from './text.ts'
import { readFileSync } from 'node:fs'
import path from 'node:path'

const LANGUAGES: [string, Messages][] = [
  ['English', english],
  ['Chinese', chinese],
]
const placeholders = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).toSorted()
/** Terminals are at least this wide; what is longer wraps in the middle of a word. */
const WIDTH_MAX = 110

describe('the two languages', () => {
  test.each(Object.entries(english))('fill the same places in %s', (key, text) => {
    expect(placeholders(chinese[key as keyof typeof chinese])).toEqual(placeholders(text))
  })

  test('are both translations', () => {
    const same = Object.entries(english).filter(
      ([key, text]) => chinese[key as keyof typeof chinese] === text,
    )
    expect(same.map(([key]) => key)).toEqual(['ask.choices', 'column.export'])
  })
})

// A colon within quotes is what is typed: 'database: select …'.
test('Chinese texts have the punctuation of their script', () => {
  const half = /[\u4e00-\u9fff][,;:!?(]|[,;:!?)][\u4e00-\u9fff]/
  const wrong = Object.entries(chinese).filter(([, text]) => half.test(text))
  expect(wrong.map(([key]) => key)).toEqual(['server.option.assert'])
})

describe.each(LANGUAGES)('help in %s', (_name, messages) => {
  const text = makeText(messages)

  test.each(COMMANDS.map((command) => [command.path, command] as const))(
    'of "%s" has usage, options and examples, and fits a terminal',
    (path, command) => {
      const lines = commandHelp(command, text).flatMap((line) => line.split('\n'))
      expect(lines[0]).toContain(`openmaas ${path}`)
      for (const option of command.options) {
        expect(lines.some((line) => line.includes(`--${option.name}`))).toBe(true)
      }
      expect(lines.at(-1)).toMatch(/^ {2}openmaas /)
      for (const line of lines) expect(displayWidth(line), line).toBeLessThanOrEqual(WIDTH_MAX)
    },
  )

  test('lists every command', () => {
    const page = overview(text).join('\n')
    for (const { path } of COMMANDS) expect(page).toContain(`  ${path}`)
  })
})

test.each(Object.entries(CLI_PAGES))(
  'the reference page in %s says what the tree says; else run "npm run generate"',
  async (language, page) => {
    const root = path.resolve(import.meta.dirname, '../../../..')
    const expected = await renderCliPage(language as keyof typeof CLI_PAGES)
    expect(readFileSync(path.join(root, page), 'utf8')).toBe(expected)
  },
)

test.each([
  [{ LC_ALL: 'zh_CN.UTF-8' }, 'zh'],
  [{ LC_ALL: 'C', LANG: 'zh_CN' }, 'en'],
  [{ LC_MESSAGES: 'zh', LANG: 'en_US' }, 'zh'],
  [{ LANG: 'zh_TW.UTF-8' }, 'zh'],
  [{ LANG: 'zha' }, 'en'],
  [{}, 'en'],
])('the locale %j means %s', (env, language) => {
  expect(chooseLanguage(undefined, env)).toBe(language)
})
