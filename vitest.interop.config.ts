import { defineConfig } from 'vitest/config'

/** Tests against outside programs, disks and mounts: one file at a time, and slow ones allowed. */
export default defineConfig({
  test: {
    include: ['interop/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    // As in packages/cli/bin/openmaas, which says why.
    execArgv: ['--wasm-wrapper-tiering-budget=1000000000'],
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    passWithNoTests: true,
  },
})
