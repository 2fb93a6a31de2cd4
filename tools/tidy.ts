/**
 * House rules that neither the formatter nor the linter knows: STYLE.md, section 2.
 *
 * Each rule is a cheap look at one line, so it may be fooled; it is here to stop habits, not
 * attacks. Where a file has a reason, it is named below with the reason.
 */
import { dirname } from 'node:path'
import { readSourceFiles, reportProblems } from './source-files.ts'
import type { Problem, SourceFile } from './source-files.ts'

const LINE_COUNT_MAX = 500
const LINE_LENGTH_MAX = 100
/** Titles are sentences, and patches quote the product: the formatter cannot break strings. */
const LINE_LENGTH_MAX_IN_TESTS = 150

/** Tables read best with one row on one line, however long and however many. */
const TABLES = ['packages/kernel/src/errors.ts']

interface Rule {
  readonly pattern: RegExp
  readonly message: string
  /** Which files the rule is for. */
  readonly applies: (path: string) => boolean
}

const everywhere = (): boolean => true
const inTests = (path: string): boolean => /\.test(?:-support)?\.ts$/.test(path)
const inProduct = (path: string): boolean =>
  path.startsWith('packages/') && !inTests(path) && !path.startsWith('packages/testkit/')
const inPool = (path: string): boolean => path.startsWith('packages/pool/') && inProduct(path)

const KEYWORDS = 'const|let|var|import|export|return|throw|await|if|for|while|switch|function'

const SWITCHED_OFF = [
  `(?:${KEYWORDS})\\b.*[;{)]`,
  '(?:const|let|var) \\w+ =.*',
  '[\\w.]+\\(.*\\);?',
  '\\}.*',
]

const RULES: readonly Rule[] = [
  {
    pattern: /\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/,
    message: 'an undone thing names its issue: TODO(#123)',
    applies: (path) => !path.startsWith('tools/tidy.'),
  },
  {
    pattern: /\bconsole\.(?:log|error|warn|info|debug)\(/,
    message: 'write through the injected output or the log, not the console',
    applies: inProduct,
  },
  {
    pattern: /\b(?:test|it|describe)\.only\(/,
    message: 'a focused test hides the others',
    applies: inTests,
  },
  {
    // "// const a = 1", "// return x;", "// foo(bar)", "// }": code that was switched off.
    pattern: new RegExp(`^\\s*//\\s*(?:${SWITCHED_OFF.join('|')})$`),
    message: 'commented-out code: delete it, git remembers',
    applies: everywhere,
  },
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(/,
    message: 'pool gets its clock and its random numbers injected',
    applies: inPool,
  },
]

export function checkTidy(files: readonly SourceFile[]): Problem[] {
  return files.flatMap((file) => checkFile(file))
}

function checkFile({ path, text }: SourceFile): Problem[] {
  const problems: Problem[] = []
  const lines = text.replace(/\n$/, '').split('\n')
  const isTable = TABLES.includes(path)
  const ofTests = inTests(path) || path === 'simulation/mutant-list.ts'
  const lengthMax = ofTests ? LINE_LENGTH_MAX_IN_TESTS : LINE_LENGTH_MAX
  if (lines.length > LINE_COUNT_MAX && !isTable) {
    const message = `${lines.length} lines; split by subject (${LINE_COUNT_MAX} at most)`
    problems.push({ path, line: LINE_COUNT_MAX, message })
  }
  const rules = RULES.filter((rule) => rule.applies(path))
  for (const [index, line] of lines.entries()) {
    if (line.length > lengthMax && !isTable && !/https?:/.test(line)) {
      problems.push({ path, line: index + 1, message: `line of ${line.length} characters` })
    }
    for (const rule of rules) {
      if (rule.pattern.test(line)) problems.push({ path, line: index + 1, message: rule.message })
    }
  }
  return problems
}

if (import.meta.main) {
  const files = readSourceFiles(dirname(import.meta.dirname))
  reportProblems('tidy', files.length, checkTidy(files))
}
