/**
 * Runs the model and fuzz tests (*.fuzz.test.ts) with many more cases than "npm test" does.
 *
 *   node tools/fuzz.ts [factor] [path-filter...]    factor: 100 times the cases unless told
 *
 * A fuzz test multiplies its case count by OPENMAAS_FUZZ_FACTOR (1 when unset).
 */
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'

const FACTOR_DEFAULT = 100
/** Vitest's own limit for one test, since a long run is the purpose here: 6 hours. */
const TEST_TIME_MAX_MS = 6 * 60 * 60_000

const [first, ...rest] = process.argv.slice(2)
const factor = first !== undefined && /^\d+$/.test(first) ? Number(first) : FACTOR_DEFAULT
const filters = first !== undefined && !/^\d+$/.test(first) ? [first, ...rest] : rest
const child = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    `--testTimeout=${TEST_TIME_MAX_MS}`,
    ...(filters.length > 0 ? filters : ['.fuzz.test.ts']),
  ],
  {
    cwd: dirname(import.meta.dirname),
    env: { ...process.env, OPENMAAS_FUZZ_FACTOR: String(factor) },
    stdio: 'inherit',
  },
)
process.exitCode = child.status ?? 1
