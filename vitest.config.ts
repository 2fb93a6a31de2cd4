import { defineConfig } from 'vitest/config'
import { SOURCE_OPTIONS } from './packages/kernel/src/source-options.ts'

/** Unit, model and conformance tests. Processes, not threads: flock and mounts belong to one. */
export default defineConfig({
  test: {
    include: ['packages/**/*.test.ts', 'tools/**/*.test.ts', 'simulation/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    // Threads of tests run from sources.
    execArgv: [...SOURCE_OPTIONS],
    // More than processors: servers of tests wait for each other.
    maxWorkers: 3,
    // Generous: the machine may be shared, and no test of ours asserts a duration.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    passWithNoTests: true,
  },
})
