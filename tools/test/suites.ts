/**
 * The suites of "npm test" in the order they run: cheap checks first, outside programs last.
 * A suite whose folder holds no tests is not listed.
 */
import { existsSync, globSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface Suite {
  readonly name: string
  /** A check is part of "npm run check"; it needs nothing but the working tree. */
  readonly kind: 'check' | 'vitest' | 'command'
  /** First, alone; then those that compute, and beside them those that mostly wait. */
  readonly phase: 'first' | 'computes' | 'waits'
  /** Arguments to node, or for vitest: its configuration and the folders to run. */
  readonly parameters: readonly string[]
}

/** The seeds that CI simulates: a few minutes on two cores. "npm run torture" takes 50,000. */
const SIMULATION_SEEDS = 500

/** Servers, databases and a browser that answer each other: most of their time nobody computes. */
const WAITING: ReadonlySet<string> = new Set(
  ['console', 'databases', 'mysql', 'serve'].map((folder) => `interop/${folder}`),
)

const CHECKS: readonly Suite[] = [
  check('format', 'node_modules/oxfmt/bin/oxfmt', '--check'),
  check('lint', 'node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings', '.'),
  check('types', 'node_modules/typescript/bin/tsc', '--noEmit', '--project', '.'),
  check('types/console', 'node_modules/typescript/bin/tsc', '--noEmit', '-p', 'packages/console'),
  check('boundaries', 'tools/import-boundaries.ts'),
  check('tidy', 'tools/tidy.ts'),
]

function check(name: string, ...parameters: string[]): Suite {
  return { name, kind: 'check', phase: 'first', parameters }
}

/** @param root  the working tree */
export function listSuites(root: string): Suite[] {
  const suites: Suite[] = [...CHECKS]
  const unit = ['packages', 'tools', 'simulation'].filter((folder) => holdsTests(root, folder))
  if (unit.length > 0) {
    const parameters = ['--config', 'vitest.config.ts', ...unit.map((folder) => `${folder}/`)]
    suites.push({ name: 'unit', kind: 'vitest', phase: 'first', parameters })
  }
  if (existsSync(join(root, 'simulation', 'run.ts'))) {
    const parameters = ['simulation/run.ts', '--seeds', String(SIMULATION_SEEDS)]
    suites.push({ name: 'simulation', kind: 'command', phase: 'computes', parameters })
    const mutants = ['simulation/mutants.ts']
    const name = 'simulation/mutants'
    suites.push({ name, kind: 'command', phase: 'computes', parameters: mutants })
  }
  // Killing comes before the other interop suites: what it finds makes them pointless.
  const folders = existsSync(join(root, 'interop')) ? readdirSync(join(root, 'interop')) : []
  const kills = folders.filter((name) => name === 'kill')
  const others = folders.filter((name) => name !== 'kill').sort()
  for (const folder of [...kills, ...others]) suites.push(...listInterop(root, folder))
  return suites
}

function listInterop(root: string, folder: string): Suite[] {
  const suites: Suite[] = []
  const name = `interop/${folder}`
  const phase = WAITING.has(name) ? 'waits' : 'computes'
  if (existsSync(join(root, name, 'run.ts'))) {
    suites.push({ name: `${name}/run`, kind: 'command', phase, parameters: [`${name}/run.ts`] })
  }
  if (holdsTests(root, name)) {
    const parameters = ['--config', 'vitest.interop.config.ts', `${name}/`]
    suites.push({ name, kind: 'vitest', phase, parameters })
  }
  return suites
}

function holdsTests(root: string, folder: string): boolean {
  const exclude = (path: string): boolean => path.includes('node_modules')
  return globSync(`${folder}/**/*.test.ts`, { cwd: root, exclude }).length > 0
}
