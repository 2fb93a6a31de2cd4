/**
 * Runs every suite, adds up their counts, and ends with exactly "N passed, N failed, N skipped".
 *
 *   node tools/test.ts                          all suites (npm test)
 *   node tools/test.ts --check                  format, lint, types, boundaries, tidy only
 *   node tools/test.ts --only unit,interop/nbd  the named suites, and those in named folders
 *   node tools/test.ts --list                   the names
 *
 * A failed suite does not stop the others. Exit code 1 when anything failed.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { addCounts, countOutput, countVitest, formatCounts } from './test/counts.ts'
import type { Counts, SuiteResult } from './test/counts.ts'
import { listSuites } from './test/suites.ts'
import type { Suite } from './test/suites.ts'

const ROOT = dirname(import.meta.dirname)
/** The whole run is meant to take 25 minutes; a suite that takes this long by itself hangs. */
const SUITE_TIME_MAX_MS = 20 * 60_000
/** A summary line is at the end, so only the end of the output is kept for counting. */
const OUTPUT_KEPT_MAX = 64 * 1024

interface Outcome {
  readonly exitCode: number
  /** The end of standard output; empty for a child that writes to ours directly. */
  readonly output: string
}

/** Runs node with the arguments; its output is shown as it comes. */
function runNode(parameters: readonly string[], keepOutput: boolean): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const environment = { ...process.env }
    if (keepOutput && process.stdout.isTTY) environment['FORCE_COLOR'] = '1'
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ...parameters],
      {
        cwd: ROOT,
        env: environment,
        stdio: ['ignore', keepOutput ? 'pipe' : 'inherit', 'inherit'],
      },
    )
    let output = ''
    child.stdout?.setEncoding('utf8')
    child.stdout?.on('data', (text: string) => {
      process.stdout.write(text)
      output = (output + text).slice(-OUTPUT_KEPT_MAX)
    })
    const timer = setTimeout(() => {
      console.error(`stopped: longer than ${SUITE_TIME_MAX_MS / 60_000} minutes`)
      child.kill('SIGKILL')
    }, SUITE_TIME_MAX_MS)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ exitCode: code ?? 1, output })
    })
  })
}

async function runVitest(suite: Suite): Promise<SuiteResult> {
  const folder = mkdtempSync(join(tmpdir(), 'openmaas-test-'))
  try {
    const reportPath = join(folder, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`]
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...suite.parameters, ...reporters]
    const { exitCode } = await runNode(vitest, false)
    return countVitest(readIfPresent(reportPath), exitCode)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function runSuite(suite: Suite): Promise<SuiteResult> {
  if (suite.kind === 'vitest') return runVitest(suite)
  const { exitCode, output } = await runNode(suite.parameters, true)
  return countOutput(output, exitCode)
}

function isChosen(suite: Suite, only: readonly string[]): boolean {
  return only.some((name) => suite.name === name || suite.name.startsWith(`${name}/`))
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      check: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      only: { type: 'string' },
    },
  })
  let suites = listSuites(ROOT)
  if (values.check) suites = suites.filter((suite) => suite.kind === 'check')
  if (values.only !== undefined) {
    const only = values.only.split(',')
    suites = suites.filter((suite) => isChosen(suite, only))
    if (suites.length === 0) throw new Error(`no suite is named ${values.only}; see --list`)
  }
  if (values.list) {
    for (const suite of suites) console.log(suite.name)
    return
  }

  const beganMs = performance.now()
  let total: Counts = { passed: 0, failed: 0, skipped: 0 }
  const skipReasons = new Set<string>()
  const rows: string[] = []
  for (const suite of suites) {
    console.log(`\n── ${suite.name} ${'─'.repeat(Math.max(3, 72 - suite.name.length))}`)
    const suiteBeganMs = performance.now()
    const result = await runSuite(suite)
    total = addCounts(total, result)
    for (const reason of result.skipReasons) skipReasons.add(reason)
    const mark = result.failed > 0 ? '✗' : '✓'
    const time = seconds(suiteBeganMs).padStart(9)
    rows.push(`${mark} ${suite.name.padEnd(24)} ${time}  ${formatCounts(result)}`)
    console.log(rows.at(-1))
  }

  console.log(`\n── summary, ${seconds(beganMs)} ${'─'.repeat(50)}`)
  for (const row of rows) console.log(row)
  for (const reason of skipReasons) console.log(reason)
  console.log(formatCounts(total))
  process.exitCode = total.failed > 0 ? 1 : 0
}

await main()
