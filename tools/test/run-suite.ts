/** One suite in a process group of its own: its output, its limit of time, its counts. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { countOutput, countVitest } from './counts.ts'
import type { SuiteResult } from './counts.ts'
import type { Suite } from './suites.ts'

/** The longest suite takes five minutes on two cores; one that takes this long by itself hangs. */
const SUITE_TIME_MAX_MS = 15 * 60_000
/** A summary line is at the end, so only the end of the output is kept for counting. */
const OUTPUT_KEPT_MAX = 64 * 1024
/** What a suite that runs beside another may print; the end of it is shown. */
const OUTPUT_SHOWN_MAX = 4 * 1024 * 1024

/** A program that left the group of its suite may hold the output for longer. */
const OUTPUT_CLOSE_MS = 5_000

/** Where the output goes: to ours as it comes, or in one piece when the suite has ended. */
export type Show = 'at once' | 'at the end'

export interface RunOptions {
  readonly root: string
  readonly show: Show
}

/** What runs now: nothing of it may outlive us. */
const running = new Set<ChildProcess>()

/** Ends whatever runs, with all that it started. */
export function endRunning(): void {
  for (const child of running) killGroup(child)
}

export async function runSuite(suite: Suite, options: RunOptions): Promise<SuiteResult> {
  if (suite.kind === 'vitest') return runVitest(suite, options)
  const { exitCode, output } = await runNode(suite.parameters, { ...options, count: true })
  return countOutput(output, exitCode)
}

async function runVitest(suite: Suite, options: RunOptions): Promise<SuiteResult> {
  const folder = mkdtempSync(join(tmpdir(), 'openmaas-test-'))
  try {
    const reportPath = join(folder, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`]
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...suite.parameters, ...reporters]
    const { exitCode } = await runNode(vitest, { ...options, count: false })
    return countVitest(readIfPresent(reportPath), exitCode)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Outcome {
  readonly exitCode: number
  /** The end of standard output; empty for a child that writes to ours directly. */
  readonly output: string
}

/** Runs node with the arguments. @param options.count its output is needed for the counts */
function runNode(
  parameters: readonly string[],
  { root, show, count }: RunOptions & { readonly count: boolean },
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const direct = show === 'at once'
    const environment = { ...process.env }
    if (process.stdout.isTTY && (count || !direct)) environment['FORCE_COLOR'] = '1'
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ...parameters],
      {
        cwd: root,
        env: environment,
        // A group of its own, so that a suite which hangs ends with everything it started.
        detached: true,
        stdio: ['ignore', direct && !count ? 'inherit' : 'pipe', direct ? 'inherit' : 'pipe'],
      },
    )
    running.add(child)
    let output = ''
    let shown = ''
    const take = (text: string): void => {
      if (direct) process.stdout.write(text)
      else shown = (shown + text).slice(-OUTPUT_SHOWN_MAX)
    }
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      take(text)
      output = (output + text).slice(-OUTPUT_KEPT_MAX)
    })
    child.stderr?.setEncoding('utf8').on('data', take)
    const timer = setTimeout(() => {
      take(`stopped: longer than ${SUITE_TIME_MAX_MS / 60_000} minutes\n`)
      killGroup(child)
    }, SUITE_TIME_MAX_MS)
    child.on('error', reject)
    let exitCode = 1
    const finish = (): void => {
      process.stdout.write(shown)
      shown = ''
      resolve({ exitCode, output })
    }
    child.on('exit', (code) => {
      exitCode = code ?? 1
      clearTimeout(timer)
      // What it left behind may hold its output open.
      killGroup(child)
      running.delete(child)
      setTimeout(finish, OUTPUT_CLOSE_MS).unref()
    })
    child.on('close', finish)
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    // Nobody is left in it.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
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
