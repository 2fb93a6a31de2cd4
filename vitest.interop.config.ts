import { defineConfig } from 'vitest/config'
import { SOURCE_OPTIONS } from './packages/kernel/src/source-options.ts'

/** Tests against outside programs, disks and mounts: one file at a time, and slow ones allowed. */
export default defineConfig({
  test: {
    include: ['interop/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    // Threads of tests run from sources.
    execArgv: [...SOURCE_OPTIONS],
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    passWithNoTests: true,
  },
})
