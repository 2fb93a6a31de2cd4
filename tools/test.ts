/**
 * Runs every suite, adds up their counts, and ends with exactly "N passed, N failed, N skipped".
 *
 *   node tools/test.ts                          all suites (npm test)
 *   node tools/test.ts --check                  format, lint, types, boundaries, tidy only
 *   node tools/test.ts --only unit,interop/nbd  the named suites, and those in named folders
 *   node tools/test.ts --list                   the names
 *
 * Suites that mostly wait run beside those that compute, one of each at a time. A failed suite
 * does not stop the others. Exit code 1 when anything failed.
 */
import { dirname } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { addCounts, formatCounts } from './test/counts.ts'
import type { Counts } from './test/counts.ts'
import { endRunning, runSuite } from './test/run-suite.ts'
import type { Show } from './test/run-suite.ts'
import { listSuites } from './test/suites.ts'
import type { Suite } from './test/suites.ts'

const ROOT = dirname(import.meta.dirname)

function isChosen(suite: Suite, only: readonly string[]): boolean {
  return only.some((name) => suite.name === name || suite.name.startsWith(`${name}/`))
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}

class Summary {
  total: Counts = { passed: 0, failed: 0, skipped: 0 }
  readonly #skipReasons = new Set<string>()
  readonly #rows = new Map<string, string>()

  async run(suite: Suite, show: Show): Promise<void> {
    const title = `\n── ${suite.name} ${'─'.repeat(Math.max(3, 72 - suite.name.length))}`
    console.log(show === 'at once' ? title : `\n── ${suite.name} runs beside`)
    const beganMs = performance.now()
    const result = await runSuite(suite, { root: ROOT, show })
    this.total = addCounts(this.total, result)
    for (const reason of result.skipReasons) this.#skipReasons.add(reason)
    const mark = result.failed > 0 ? '✗' : '✓'
    const time = seconds(beganMs).padStart(9)
    const row = `${mark} ${suite.name.padEnd(24)} ${time}  ${formatCounts(result)}`
    this.#rows.set(suite.name, row)
    console.log(row)
  }

  /** @param order the suites as they are listed, not as they ended */
  print(order: readonly Suite[], sinceMs: number): void {
    console.log(`\n── summary, ${seconds(sinceMs)} ${'─'.repeat(50)}`)
    for (const { name } of order) console.log(this.#rows.get(name))
    for (const reason of this.#skipReasons) console.log(reason)
    console.log(formatCounts(this.total))
  }
}

async function runAll(suites: readonly Suite[], summary: Summary): Promise<void> {
  // Checks and unit tests first and alone: what they find makes the rest pointless.
  const first = suites.filter(({ phase }) => phase === 'first')
  for (const suite of first) await summary.run(suite, 'at once')
  const lane = async (phase: Suite['phase'], show: Show): Promise<void> => {
    for (const suite of suites) if (suite.phase === phase) await summary.run(suite, show)
  }
  await Promise.all([lane('computes', 'at once'), lane('waits', 'at the end')])
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
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      endRunning()
      process.exit(1)
    })
  }
  const beganMs = performance.now()
  const summary = new Summary()
  await runAll(suites, summary)
  summary.print(suites, beganMs)
  process.exitCode = summary.total.failed > 0 ? 1 : 0
}

await main()
