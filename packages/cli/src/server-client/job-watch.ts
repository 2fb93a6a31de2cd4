/**
 * Waiting for a job: progress on stderr, its end as the exit code of CONVENTIONS.md, section 3.
 * The job belongs to the server: Ctrl-C only stops watching.
 */
import type { Job, JobDetail } from '@openmaas/api/resources/job'
import { JOB_STATES_ENDED } from '@openmaas/api/resources/job'
import { type ErrorCode, ERRORS, MaasError } from '@openmaas/kernel/errors'
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import { parseDuration } from '../format/time.ts'
import { fit, printable } from '../format/width.ts'
import { chineseProblem } from '../messages/chinese-problems.ts'
import type { Input } from '../program/input.ts'
import { remediesOf } from '../program/report-error.ts'
import type { Site } from '../program/site.ts'
import type { Row, Server } from './server.ts'
import { formatOf, showRow } from './show.ts'

/** The server holds each answer this long at most, so that progress is seen. */
const POLL = '1s'
/** Between lines where nothing can be redrawn. */
const LOG_INTERVAL_MS = 10_000
const EXIT_WARNING = 6
const EXIT_FAILED = 7
const EXIT_TIMEOUT = 8
const EXIT_DAMAGED = 10
const EXIT_INTERRUPTED = 130
/** Kinds whose failure means that something is damaged. */
const PROOFS = new Set(['check', 'verify', 'verify-database', 'drill'])

function isEnded(job: Job): boolean {
  return (JOB_STATES_ENDED as readonly string[]).includes(job.state)
}

export function describeProgress(job: Job, site: Site): string {
  const { text } = site
  const { pct, bytesDone, bytesTotal, itemsDone, rateBytesPerSecond, etaMs } = job.progress
  const { stalledSince, bottleneck } = job.progress
  const parts = [`${job.kind}  ${job.progress.phase ?? job.phase ?? ''}`.trimEnd() || job.state]
  if (job.state === 'queued') parts.push(text('job.waiting'))
  if (typeof pct === 'number') parts.push(`${Math.floor(pct)} %`)
  if (bytesDone !== undefined && bytesDone > 0) {
    const total = typeof bytesTotal === 'number' ? ` / ${formatBytes(bytesTotal)}` : ''
    parts.push(`${formatBytes(bytesDone)}${total}`)
  }
  if (itemsDone !== undefined && itemsDone > 0) {
    parts.push(text('progress.files', { count: itemsDone.toLocaleString('en-US') }))
  }
  if (typeof rateBytesPerSecond === 'number') {
    parts.push(`${formatBytes(Math.round(rateBytesPerSecond))}/s`)
  }
  if (typeof etaMs === 'number') parts.push(text('progress.eta', { time: formatDuration(etaMs) }))
  if (typeof stalledSince === 'string') parts.push(text('job.stalled'))
  else if (typeof bottleneck === 'string') parts.push(text('job.bottleneck', { part: bottleneck }))
  return printable(parts.join('  '))
}

class Display {
  readonly #site: Site
  #shownAt = 0
  #last = ''

  constructor(site: Site) {
    this.#site = site
  }

  show(job: Job): void {
    const { out, clock } = this.#site
    if (out.quiet || out.json) return
    const line = describeProgress(job, this.#site)
    if (out.options.errorIsTerminal) {
      out.drawProgress(fit(line, out.options.columns - 1))
      return
    }
    const now = clock.monotonicMs()
    if (line === this.#last || now - this.#shownAt < LOG_INTERVAL_MS) return
    // What ends within the first interval needs no line of progress.
    if (this.#shownAt !== 0) out.error(line)
    this.#shownAt = now
    this.#last = line
  }
}

export interface WatchOptions {
  readonly timeoutMs?: number | undefined
}

/**
 * @returns the job as it ended
 * @throws MaasError JOB_WAIT_TIMEOUT, CANCELLED; the job goes on
 */
export async function watchJob(
  server: Server,
  jobId: string,
  options: WatchOptions = {},
): Promise<JobDetail> {
  const { site, client } = server
  const display = new Display(site)
  const end =
    options.timeoutMs === undefined ? Infinity : site.clock.monotonicMs() + options.timeoutMs
  try {
    for (;;) {
      const params = { jobId }
      const { body } = await client.call('getJob', { params, wait: POLL, signal: site.signal })
      if (isEnded(body)) return body
      display.show(body)
      if (site.clock.monotonicMs() >= end) {
        throw new MaasError('JOB_WAIT_TIMEOUT', `${jobId} has not ended yet`, { jobId })
      }
    }
  } catch (error) {
    if (site.signal.aborted) site.out.note(site.text('job.detached', { id: jobId }))
    throw error
  } finally {
    site.out.clearProgress()
  }
}

/** A job keeps the code of its problem; what to do about it stands in the table. */
function hintOf(code: string, { language }: Site): string | undefined {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode][language] : undefined
}

/** Its id first of all: whatever becomes of this program, the job can be found again. */
function announce(jobId: string, { out, text }: Site): void {
  if (out.json) out.error(JSON.stringify({ jobId }))
  else out.note(text('job.begun', { id: jobId }))
}

/** Says how it ended. @returns the exit code */
export function concludeJob(job: Job, site: Site): number {
  const { out, text } = site
  const problem = job.problem
  if (problem !== null && job.state !== 'succeeded') {
    const label = job.state === 'warning' ? 'warning.label' : 'error.label'
    const color = job.state === 'warning' ? 'yellow' : 'red'
    const said = site.language === 'zh' ? chineseProblem(problem) : problem.message
    out.error(`${out.paint(color, text(label))} ${printable(said)} (${problem.code})`)
    for (const line of remediesOf(problem.details)) out.error(`  ${line}`)
    const hint = problem.hint ?? hintOf(problem.code, site)
    if (hint !== undefined) out.error(`${out.paint('dim', text('hint.label'))} ${printable(hint)}`)
  }
  if (job.state === 'succeeded') return 0
  // It found what it looks for.
  if (job.state === 'warning') return job.kind === 'verify-database' ? EXIT_DAMAGED : EXIT_WARNING
  if (job.state === 'cancelled') {
    out.error(text('job.cancelled', { id: job.id }))
    return EXIT_INTERRUPTED
  }
  out.error(text('job.failed', { id: job.id }))
  return PROOFS.has(job.kind) && problem?.code !== 'CANCELLED' ? EXIT_DAMAGED : EXIT_FAILED
}

function timeoutOf(input: Input): number | undefined {
  const value = input.text('timeout')
  if (value === undefined) return undefined
  const timeoutMs = parseDuration(value)
  if (timeoutMs !== undefined) return timeoutMs
  const message = `--timeout wants a time such as 10m, not "${value}"`
  throw new MaasError('USAGE', message, { option: 'timeout' })
}

/**
 * Follows a job that a command has begun: waits unless --no-wait, then shows it.
 *
 * @param done data and sentences of a job that came to something; else the job itself is shown
 * @param options whoever asked for this very job knows its id
 * @returns the exit code
 */
export async function followJob(
  server: Server,
  started: Row | { readonly jobId: string },
  done?: (job: JobDetail) => Promise<void> | void,
  options: { readonly isKnown: boolean } = { isKnown: false },
): Promise<number> {
  const { site, input } = server
  const { jobId } = started as { readonly jobId: string }
  const timeoutMs = timeoutOf(input)
  if (input.has('no-wait')) {
    if (formatOf(input, site) === 'table') {
      site.out.line(jobId)
      site.out.note(site.text('job.detached', { id: jobId }))
    } else showRow({ ...(started as Row), id: jobId }, { site, input })
    return 0
  }
  if (!options.isKnown) announce(jobId, site)
  let job: JobDetail
  try {
    job = await watchJob(server, jobId, { timeoutMs })
  } catch (error) {
    if (!(error instanceof MaasError && error.code === 'JOB_WAIT_TIMEOUT')) throw error
    site.out.error(site.text('job.timeout', { id: jobId }))
    return EXIT_TIMEOUT
  }
  const format = formatOf(input, site)
  if (format === 'table' || format === 'wide') {
    if (job.state === 'succeeded' || job.state === 'warning') await done?.(job)
  } else showRow(job as unknown as Row, { site, input })
  return concludeJob(job, site)
}
