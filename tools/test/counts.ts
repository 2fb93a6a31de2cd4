/**
 * How the results of one suite are counted. Vitest reports as JSON; any other runner ends its
 * output with the line "N passed, N failed, N skipped", or is one test by its exit code.
 */

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface SuiteResult extends Counts {
  /** Distinct reasons: the titles that begin with "skipped: ". */
  readonly skipReasons: readonly string[]
}

/** The part of vitest's JSON report that is believed here. */
interface VitestReport {
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly title: string
      readonly ancestorTitles: readonly string[]
    }[]
  }[]
}

const SUMMARY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  }
}

export function formatCounts(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`
}

/**
 * Counts a vitest report. A file that fails outside its tests (an import, a hook) is one failure,
 * and so is a run that ends badly although every test in it passed.
 */
export function countVitest(report: string | null, exitCode: number): SuiteResult {
  if (report === null) return { passed: 0, failed: 1, skipped: 0, skipReasons: [] }
  const files = (JSON.parse(report) as VitestReport).testResults
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const skipReasons = new Set<string>()
  for (const file of files) {
    let failedHere = 0
    for (const result of file.assertionResults) {
      if (result.status === 'passed') counts.passed += 1
      else if (result.status === 'failed') failedHere += 1
      else {
        counts.skipped += 1
        const titles = [...result.ancestorTitles, result.title]
        const reason = titles.find((title) => title.startsWith('skipped: '))
        if (reason !== undefined) skipReasons.add(reason)
      }
    }
    if (file.status === 'failed' && failedHere === 0) failedHere = 1
    counts.failed += failedHere
  }
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1
  return { ...counts, skipReasons: [...skipReasons] }
}

/** Counts any other runner by the last summary line of its output. */
export function countOutput(output: string, exitCode: number): SuiteResult {
  const lines = output.split('\n').map((line) => line.trim())
  const summary = lines.findLast((line) => SUMMARY.test(line))
  const skipReasons = [...new Set(lines.filter((line) => line.startsWith('skipped: ')))]
  if (summary === undefined) {
    const failed = exitCode === 0 ? 0 : 1
    return { passed: 1 - failed, failed, skipped: 0, skipReasons }
  }
  const [passed, failed, skipped] = SUMMARY.exec(summary)!.slice(1).map(Number)
  const failedAtLeast = exitCode === 0 ? failed! : Math.max(1, failed!)
  return { passed: passed!, failed: failedAtLeast, skipped: skipped!, skipReasons }
}
