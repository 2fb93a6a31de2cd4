import { describe, expect, test } from 'vitest'
import { checkTidy } from './tidy.ts'

// Put together, so that this file passes the check it is about.
const ONLY = '.on' + 'ly('

function check(path: string, text: string): string[] {
  return checkTidy([{ path, text }]).map(({ line, message }) => `${line}: ${message}`)
}

describe('tidy refuses', () => {
  test.each([
    ['packages/a/src/a.ts', `// TODO: later`, 'names its issue'],
    ['packages/a/src/a.ts', `console.log('x')`, 'not the console'],
    ['packages/a/src/a.test.ts', `test${ONLY}'x', () => {})`, 'hides the others'],
    ['packages/a/src/a.ts', '  // const a = 1', 'commented-out code'],
    ['packages/a/src/a.ts', '  // return compute(a)', 'commented-out code'],
    ['packages/a/src/a.ts', '  // this.close()', 'commented-out code'],
    ['packages/a/src/a.ts', `const a = '${'x'.repeat(100)}'`, 'line of 112 characters'],
    ['packages/pool/src/a.ts', 'const now = Date.now()', 'injected'],
  ])('%s: %s', (path, text, message) => {
    expect(check(path, `ok\n${text}\n`)).toEqual([expect.stringContaining(message)])
    expect(check(path, `ok\n${text}\n`)[0]).toMatch(/^2: /)
  })

  test('a file of more than 500 lines', () => {
    expect(check('tools/a.ts', 'x\n'.repeat(500))).toEqual([])
    expect(check('tools/a.ts', 'x\n'.repeat(501))).toEqual([expect.stringContaining('501 lines')])
  })
})

describe('tidy allows', () => {
  test.each([
    ['packages/a/src/a.ts', `// TODO(#12): later`],
    ['packages/a/src/a.ts', '// If the log is torn (see recovery), the tail is cut.'],
    ['packages/a/src/a.ts', '// The caller has checked it; read(offset) may be short.'],
    ['packages/a/src/a.test.ts', `console.log('x')`],
    ['packages/a/src/a.ts', `// https://example.org/${'x'.repeat(100)}`],
    ['packages/kernel/src/clock.ts', 'return Date.now()'],
    ['packages/pool/src/a.test.ts', 'const now = Date.now()'],
  ])('%s: %s', (path, text) => {
    expect(check(path, `${text}\n`)).toEqual([])
  })
})
