import { describe, expect, test } from 'vitest'
import { addCounts, countOutput, countVitest, formatCounts } from './counts.ts'

function report(...files: { status: string; tests: [status: string, title: string][] }[]): string {
  const testResults = files.map(({ status, tests }) => ({
    status,
    assertionResults: tests.map(([testStatus, title]) => ({
      status: testStatus,
      title,
      ancestorTitles: [],
    })),
  }))
  return JSON.stringify({ testResults })
}

describe('a vitest report', () => {
  test('is counted test by test, with the reasons of what was skipped', () => {
    const text = report(
      {
        status: 'passed',
        tests: [
          ['passed', 'a'],
          ['skipped', 'skipped: fio missing'],
        ],
      },
      {
        status: 'failed',
        tests: [
          ['failed', 'b'],
          ['todo', 'c'],
          ['passed', 'd'],
        ],
      },
    )
    expect(countVitest(text, 1)).toEqual({
      passed: 2,
      failed: 1,
      skipped: 2,
      skipReasons: ['skipped: fio missing'],
    })
  })

  test('counts a file that fails before its first test as one failure', () => {
    expect(countVitest(report({ status: 'failed', tests: [] }), 1).failed).toBe(1)
  })

  test('is a failure when the run ended badly although every test passed', () => {
    expect(countVitest(report({ status: 'passed', tests: [['passed', 'a']] }), 1).failed).toBe(1)
  })

  test('is a failure when it was never written', () => {
    expect(countVitest(null, 0).failed).toBe(1)
  })
})

describe('the output of another runner', () => {
  test('is counted by its last summary line', () => {
    const output = '1 passed, 0 failed, 0 skipped\nseed 7\n1999 passed, 1 failed, 3 skipped\n'
    expect(countOutput(output, 1)).toMatchObject({ passed: 1999, failed: 1, skipped: 3 })
  })

  test('is one test by its exit code when it has no summary line', () => {
    expect(countOutput('fine\n', 0)).toMatchObject({ passed: 1, failed: 0 })
    expect(countOutput('12 passed, 0 failed\n', 3)).toMatchObject({ passed: 0, failed: 1 })
  })

  test('never counts as passed what ended with an error', () => {
    expect(countOutput('5 passed, 0 failed, 0 skipped\n', 139).failed).toBe(1)
  })
})

test('counts add up and print as the line that CI reads', () => {
  const sum = addCounts({ passed: 1, failed: 2, skipped: 3 }, { passed: 10, failed: 0, skipped: 1 })
  expect(formatCounts(sum)).toBe('11 passed, 2 failed, 4 skipped')
})
