/**
 * Enforces who may import whom: DESIGN.md, section 9. Workspaces alone do not.
 *
 *   kernel ◀── pool, protocols, source-kit ◀── medium, source-* ◀── agent ◀── node ◀── cli
 *      ▲  ▲── api, protocols ◀──────────────── control ◀──────────────────────────────┘
 *              api ◀── console                 simulation, interop, bench, tools: anything
 *   testkit ◀── tests only
 *
 * And: a relative import stays in its package; an imported package is in that package's own
 * package.json; pool/ touches no clock, file system or thread of its own, so that the simulator
 * runs the same code.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { lineAt, readSourceFiles, reportProblems } from './source-files.ts'
import type { Problem, SourceFile } from './source-files.ts'

/** Package → the packages of ours that it may import, by their names without "@openmaas/". */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  testkit: ['kernel'],
  pool: ['kernel'],
  protocols: ['kernel'],
  api: ['kernel'],
  // Its requests are orders: decision 0012.
  'source-kit': ['kernel', 'protocols'],
  // Every other package below packages/sources; never one another.
  'source-*': ['kernel', 'pool', 'protocols', 'source-kit'],
  medium: ['kernel', 'pool', 'protocols'],
  agent: ['kernel', 'pool', 'protocols', 'medium', 'source-*'],
  // Decides and remembers; never touches user bytes, so never a pool.
  control: ['kernel', 'api', 'protocols'],
  node: ['kernel', 'pool', 'protocols', 'medium', 'agent'],
  // Runs in a browser: the contract, and of the kernel what BROWSER_SAFE names.
  console: ['kernel', 'api'],
  cli: ['kernel', 'api', 'pool', 'protocols', 'medium', 'source-*', 'agent', 'node', 'control'],
}

/** The simulator gives these to pool/ in its own form; the real ones would escape it. */
const NOT_IN_POOL = ['fs', 'fs/promises', 'worker_threads', 'child_process', 'net', 'timers']

/** Files of kernel that need no Node. */
const BROWSER_SAFE = ['assert', 'clock', 'errors', 'units'].map(
  (name) => `@openmaas/kernel/${name}`,
)

/** What one package.json says. */
export interface Package {
  /** The folder, relative to the working tree. */
  readonly folder: string
  /** Without "@openmaas/". */
  readonly name: string
  readonly dependencies: ReadonlySet<string>
}

interface Import {
  readonly specifier: string
  readonly line: number
}

// A statement begins its line; that keeps comments and strings out. The clause has no quote.
const STATEMENT = /^(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*'([^']+)'/gm
// A dynamic import, as an expression or as a type, and what a module path is resolved by.
const CALL = /\b(?:import|require|require\.resolve|import\.meta\.resolve)\(\s*'([^']+)'/g

/** Every module that the text names, static or dynamic. */
export function listImports(text: string): Import[] {
  const imports: Import[] = []
  for (const match of text.matchAll(STATEMENT)) {
    imports.push({ specifier: match[1]!, line: lineAt(text, match.index) })
  }
  for (const match of text.matchAll(CALL)) {
    const line = lineAt(text, match.index)
    const before = text.slice(text.lastIndexOf('\n', match.index) + 1, match.index)
    if (/^\s*(?:\*|\/\/|\/\*)/.test(before)) continue
    if (/^(?:\.{1,2}\/|node:|@|[a-z])/.test(match[1]!)) imports.push({ specifier: match[1]!, line })
  }
  return imports
}

function isTest(path: string): boolean {
  return /\.(?:test|test-support|bench)\.ts$/.test(path) || path.includes('/tests/')
}

/** The package that an import names: "@scope/name" or "name". */
function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}

function isAllowed(from: string, to: string): boolean {
  const row = MAY_IMPORT[from] ?? (from.startsWith('source-') ? MAY_IMPORT['source-*'] : undefined)
  if (row === undefined) return false
  return row.includes(to) || (to.startsWith('source-') && row.includes('source-*'))
}

/** Why this import is refused, or null. */
function refuse(
  file: SourceFile,
  { specifier }: Import,
  home: Package | undefined,
  rootDependencies: ReadonlySet<string>,
): string | null {
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(file.path), specifier))
    const left = home === undefined ? target.startsWith('packages/') : !isIn(target, home.folder)
    return left ? `${specifier} leaves the package; import it as @openmaas/<package>/<file>` : null
  }
  const bare = specifier.replace(/^node:/, '')
  const isTestFile = isTest(file.path)
  const inBrowser = file.path.startsWith('packages/console/src/') && !isTestFile
  if (inBrowser && specifier.startsWith('@openmaas/kernel/') && !BROWSER_SAFE.includes(specifier)) {
    return `${specifier} needs Node; a browser has none`
  }
  // A few, such as node:sqlite, are listed with their prefix only.
  if (builtinModules.includes(bare) || builtinModules.includes(`node:${bare}`)) {
    if (!specifier.startsWith('node:')) return `write node:${bare}`
    if (inBrowser) return `${specifier}: the console runs in a browser`
    const refused = home?.name === 'pool' && NOT_IN_POOL.includes(bare) && !isTestFile
    return refused ? `${specifier}: pool gets its file system, clock and threads injected` : null
  }
  const name = packageOf(specifier)
  const ours = name.startsWith('@openmaas/') ? name.slice('@openmaas/'.length) : null
  if (home === undefined) {
    // simulation, interop, bench and tools belong to the workspace itself.
    return ours !== null || rootDependencies.has(name) ? null : `${name} is not in package.json`
  }
  const forTests = isTestFile || home.name === 'testkit'
  if (ours === home.name) return `${specifier}: import files of the same package by relative path`
  if (ours === 'testkit') return isTestFile ? null : 'testkit is for tests only'
  if (ours !== null && !isAllowed(home.name, ours)) return `${home.name} may not import ${ours}`
  if (home.dependencies.has(name)) return null
  if (forTests && rootDependencies.has(name)) return null
  return `${name} is not in ${home.folder}/package.json`
}

function isIn(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`)
}

/**
 * @param rootDependencies  what the workspace's own package.json lists, for tests and tools
 */
export function checkBoundaries(
  files: readonly SourceFile[],
  packages: readonly Package[],
  rootDependencies: ReadonlySet<string>,
): Problem[] {
  const problems: Problem[] = []
  for (const file of files) {
    const home = packages.find((candidate) => isIn(file.path, candidate.folder))
    if (home === undefined && file.path.startsWith('packages/')) {
      problems.push({ path: file.path, line: 1, message: 'belongs to no package' })
      continue
    }
    for (const found of listImports(file.text)) {
      const message = refuse(file, found, home, rootDependencies)
      if (message !== null) problems.push({ path: file.path, line: found.line, message })
    }
  }
  return problems
}

interface Manifest {
  readonly name?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest
}

function readPackages(root: string): Package[] {
  const paths = globSync(['packages/*/package.json', 'packages/sources/*/package.json'], {
    cwd: root,
  })
  return paths.map((path) => {
    const manifest = readManifest(join(root, path))
    const name = (manifest.name ?? '').replace('@openmaas/', '')
    // The console is shipped as it was built: all that it imports is there for its making only.
    const forMaking = name === 'console' ? manifest.devDependencies : {}
    const dependencies = new Set(Object.keys({ ...manifest.dependencies, ...forMaking }))
    return { folder: dirname(path), name, dependencies }
  })
}

if (import.meta.main) {
  const root = dirname(import.meta.dirname)
  if (!existsSync(join(root, 'package.json'))) throw new Error(`${root} is not the working tree`)
  const manifest = readManifest(join(root, 'package.json'))
  const rootDependencies = new Set(
    Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }),
  )
  const files = readSourceFiles(root)
  const problems = checkBoundaries(files, readPackages(root), rootDependencies)
  reportProblems('boundaries', files.length, problems)
}
