/** Command lines that documents show are ones that the program takes. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { parseInput } from './input.ts'
import { resolveCommand } from './resolve.ts'
import { COMMANDS, GLOBAL_OPTIONS } from './tree.ts'

const ROOT = path.resolve(import.meta.dirname, '../../../..')
const PAGES = globSync(['README*.md', 'docs/operating/*.md', 'docs/monitoring/*.md'], { cwd: ROOT })
const NOUNS = new Set(COMMANDS.map((command) => command.path.split(' ')[0]!))

/** As a shell splits them, as far as documents go. */
function wordsOf(line: string): string[] {
  const words = line.matchAll(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+/g)
  return [...words].map(([word]) => word.replaceAll(/^['"]|['"]$|\\/g, ''))
}

/** Up to where the shell's own part begins: a pipe, the end of `$(…)`. */
const OURS = /openmaas (?:'[^']*'|"[^"]*"|[^|>)`;&'"])*/

/** Of blocks of code. */
function linesOf(text: string): string[] {
  const lines = text.replaceAll('\\\n', ' ').split('\n')
  return lines
    .filter((line) => /^(?: {4}|\$ |(?:\.\/)?openmaas )/.test(line))
    .flatMap((line) => OURS.exec(line)?.[0] ?? [])
    .map((line) => line.replace(/\s+#.*$/, ''))
}

/** Named in a sentence or a table: often without its arguments. */
function namesOf(text: string): string[] {
  const codes = [...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map(([, code]) => code!)
  const known = codes.map((code) => code.replace(/^openmaas /, ''))
  return known.filter((code) => NOUNS.has(code.split(' ')[0]!) && /^[a-z]+ -{0,2}[a-z]/.test(code))
}

test('pages with commands are found', () => {
  expect(PAGES.length).toBeGreaterThan(5)
})

test.each(PAGES)('%s', (page) => {
  const text = readFileSync(path.join(ROOT, page), 'utf8')
  for (const line of linesOf(text)) {
    const words = wordsOf(line).slice(1)
    const { command, rest } = resolveCommand(words)
    if (command !== undefined) {
      expect(() => parseInput(command, GLOBAL_OPTIONS, rest), line).not.toThrow()
    }
  }
  for (const code of namesOf(text)) {
    const { command, rest } = resolveCommand(wordsOf(code))
    const options = [...(command?.options ?? []), ...GLOBAL_OPTIONS].map(({ name }) => `--${name}`)
    for (const word of rest.filter((each) => each.startsWith('--'))) {
      expect(options, code).toContain(word.split('=')[0])
    }
  }
})
