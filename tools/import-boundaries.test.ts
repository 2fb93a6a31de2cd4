import { describe, expect, test } from 'vitest'
import { checkBoundaries, listImports } from './import-boundaries.ts'
import type { Package } from './import-boundaries.ts'

const packages: Package[] = [
  define('kernel', 'packages/kernel', 'koffi'),
  define('testkit', 'packages/testkit', '@openmaas/kernel'),
  define('pool', 'packages/pool', '@openmaas/kernel', '@openmaas/protocols'),
  define('protocols', 'packages/protocols', '@openmaas/kernel', '@openmaas/pool'),
  define('medium', 'packages/medium', '@openmaas/kernel', '@openmaas/pool', '@openmaas/protocols'),
  define('source-files', 'packages/sources/files', '@openmaas/pool', '@openmaas/source-disk'),
  define('source-disk', 'packages/sources/disk', '@openmaas/pool'),
  define('agent', 'packages/agent', '@openmaas/source-files', '@openmaas/cli'),
  define('cli', 'packages/cli', '@openmaas/agent', 'commander'),
]

function define(name: string, folder: string, ...dependencies: string[]): Package {
  return { name, folder, dependencies: new Set(dependencies) }
}

/** The messages for one file with one import. */
function check(path: string, specifier: string): string[] {
  const files = [{ path, text: `import { x } from '${specifier}'\n` }]
  const problems = checkBoundaries(files, packages, new Set(['vitest', 'fast-check']))
  return problems.map((problem) => problem.message)
}

describe('a package may import', () => {
  test.each([
    ['packages/pool/src/a.ts', '@openmaas/kernel/errors'],
    ['packages/medium/src/a.ts', '@openmaas/protocols/nbd/server'],
    ['packages/medium/src/ext4/a.ts', '../stack.ts'],
    ['packages/agent/src/a.ts', '@openmaas/source-files/walk'],
    ['packages/cli/src/a.ts', 'commander'],
    ['packages/kernel/src/a.ts', 'node:fs'],
    ['packages/pool/src/a.test.ts', '@openmaas/testkit/memory-fs'],
    ['packages/pool/src/a.test.ts', 'vitest'],
    ['packages/pool/src/a.test.ts', 'node:fs'],
    ['packages/testkit/src/verify.ts', 'vitest'],
    ['simulation/run.ts', '@openmaas/pool/pool/pool'],
  ])('%s: %s', (path, specifier) => {
    expect(check(path, specifier)).toEqual([])
  })
})

describe('a package may not import', () => {
  test.each([
    ['packages/kernel/src/a.ts', '@openmaas/pool/pack', 'kernel may not import pool'],
    ['packages/pool/src/a.ts', '@openmaas/protocols/nbd', 'pool may not import protocols'],
    ['packages/protocols/src/a.ts', '@openmaas/pool/pack', 'protocols may not import pool'],
    ['packages/sources/files/src/a.ts', '@openmaas/source-disk/x', 'may not import source-disk'],
    ['packages/agent/src/a.ts', '@openmaas/cli/main', 'agent may not import cli'],
    ['packages/pool/src/a.ts', '@openmaas/testkit/memory-fs', 'testkit is for tests only'],
    ['packages/testkit/src/a.ts', '@openmaas/pool/pack', 'testkit may not import pool'],
    ['packages/pool/src/a.ts', 'node:fs', 'injected'],
    ['packages/pool/src/a.ts', 'vitest', 'vitest is not in packages/pool/package.json'],
    ['packages/pool/src/a.ts', '@napi-rs/blake-hash', 'is not in packages/pool/package.json'],
    ['packages/pool/src/a.ts', '@openmaas/pool/b', 'relative path'],
    ['packages/pool/src/a.ts', '../../kernel/src/errors.ts', 'leaves the package'],
    ['packages/kernel/src/a.ts', 'fs', 'write node:fs'],
    ['simulation/run.ts', '../packages/pool/src/a.ts', 'leaves the package'],
    ['tools/a.ts', 'left-pad', 'left-pad is not in package.json'],
    ['packages/orphan/src/a.ts', 'node:fs', 'belongs to no package'],
  ])('%s: %s', (path, specifier, message) => {
    expect(check(path, specifier).join()).toContain(message)
  })
})

test('finds imports in every form, and none in comments', () => {
  const text = [
    `import type { A } from 'a'`,
    `import {`,
    `  b,`,
    `} from 'b'`,
    `import 'c'`,
    `export { d } from './d.ts'`,
    `const e = await CALL('e')`,
    `let f: CALL('f').F`,
    ` * import { g } from 'g'`,
    `// import { h } from 'h'`,
    `// see CALL('i')`,
  ]
    .join('\n')
    .replaceAll('CALL(', 'import(') // Else this file would seem to import them itself.
  expect(listImports(text)).toEqual([
    { specifier: 'a', line: 1 },
    { specifier: 'b', line: 2 },
    { specifier: 'c', line: 5 },
    { specifier: './d.ts', line: 6 },
    { specifier: 'e', line: 7 },
    { specifier: 'f', line: 8 },
  ])
})
